/** A command with a model: loads it, answers, closes it, and tells errors and the exit code. */
import type { Flamingo } from "../api/flamingo.js";
import { collect } from "../api/flamingo.js";
import { load } from "../api/load.node.js";
import type { Piece } from "../generate/stream.js";
import type { ModelFlags } from "./options.js";
import { createTerminal, type Terminal } from "./terminal.js";

/** Answers with a loaded model. @returns the exit code, 0 when all is answered */
export type Answering = (flamingo: Flamingo, terminal: Terminal) => Promise<number>;

/** Runs a command and sets the exit code of the process. */
export async function withModel(flags: ModelFlags, answer: Answering): Promise<void> {
  const terminal = createTerminal({ json: flags.json ?? false, quiet: flags.quiet ?? false });
  try {
    await using flamingo = await load(flags.model, {
      threads: flags.threads,
      engine: flags.engine,
      signal: terminal.signal,
      onProgress: terminal.progress,
    });
    if (flamingo.words === "random") {
      terminal.notice(`note: ${flamingo.name} is untrained: its words mean nothing`);
    }
    const code = await answer(flamingo, terminal);
    process.exitCode = terminal.stopped() ?? code;
  } catch (error) {
    process.exitCode = terminal.error(error);
  }
}

/**
 * Writes one answer: as text while it is generated, or as a line of JSON.
 *
 * @param image what the JSON names as its picture
 * @param label written before the text, where there are several
 */
export async function writeAnswer(
  terminal: Terminal,
  pieces: AsyncIterable<Piece>,
  {
    image,
    label,
    logProbs = false,
  }: { image: string | readonly string[]; label?: string | undefined; logProbs?: boolean | undefined },
): Promise<void> {
  if (terminal.json) {
    const { text, ids, finishReason, ...more } = await collect(pieces, logProbs);
    terminal.line(JSON.stringify({ image, text, ids, finishReason, sequence: 0, ...more }));
    return;
  }
  let first = true;
  for await (const piece of pieces) {
    if (first && label !== undefined) terminal.write(`${label}: `);
    first = false;
    terminal.write(piece.text);
  }
  terminal.line();
}
