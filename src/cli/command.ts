/** A command with a model: loads it, answers, closes it, and reports errors and the exit code. */
import type { Flamingo } from "../api/flamingo.js";
import { load } from "../api/load.node.js";
import type { LoadOptions } from "../api/loadOptions.js";
import type { PreparedPrompt } from "../api/prompt.js";
import { withClosing } from "../base/dispose.js";
import { OpenFlamingoError } from "../base/errors.js";
import type { Answer } from "../generate/answers.js";
import { exitCodes } from "./exitCodes.js";
import type { ImageInput } from "./inputs.js";
import { type GenerationFlags, generation, type ModelFlags } from "./options.js";
import { createTerminal, type Terminal } from "./terminal.js";

/** Answers with a loaded model. @returns the exit code, 0 when all is answered */
export type Answering = (flamingo: Flamingo, terminal: Terminal) => Promise<number>;

/**
 * Runs a command and sets the exit code of the process.
 *
 * @param prepare checks what can be checked, and finds its inputs, before a model is loaded
 */
export async function withModel(
  flags: ModelFlags,
  prepare: (terminal: Terminal) => Answering | Promise<Answering>,
): Promise<void> {
  const terminal = createTerminal({ json: flags.json ?? false, quiet: flags.quiet ?? false });
  try {
    const answer = await prepare(terminal);
    const code = await withClosing(async (closing) => {
      const flamingo = closing(await load(flags.model, loadOptionsOf(flags, terminal)));
      return answer(flamingo, terminal);
    });
    process.exitCode = terminal.stopped() ?? code;
  } catch (error) {
    process.exitCode = terminal.error(error);
  }
}

/** How a command loads its model. */
export const loadOptionsOf = (flags: ModelFlags, terminal: Terminal): LoadOptions => ({
  threads: flags.threads,
  backend: flags.backend ?? flags.engine,
  weights: flags.weights,
  cache: flags.cache,
  memoryCheck: flags.memoryCheck,
  signal: terminal.signal,
  onProgress: terminal.bytes,
  onNotice: (text) => terminal.notice(`note: ${text}`),
});

/** Does something for each image; one that cannot be read does not keep the others from it. @returns the exit code */
export async function forEachImage(
  terminal: Terminal,
  images: readonly ImageInput[],
  work: (image: ImageInput) => Promise<void>,
): Promise<number> {
  let code = 0;
  for (const [done, image] of images.entries()) {
    if (images.length > 1) terminal.progress("images", done, images.length);
    try {
      await work(image);
    } catch (error) {
      const ofImage =
        error instanceof OpenFlamingoError && exitCodes[error.code] === exitCodes["image-missing"];
      if (!ofImage) throw error;
      code = terminal.error(error);
    }
  }
  if (images.length > 1) terminal.progress("images", images.length, images.length);
  return code;
}

/**
 * Writes what is generated: as text while it comes, or as JSON, a line for each of the returned sequences.
 *
 * @param image what the JSON names as its image
 * @param label written before the text, where there are several images
 */
export async function writeAnswer(
  terminal: Terminal,
  flamingo: Flamingo,
  prompt: PreparedPrompt,
  flags: GenerationFlags,
  { image, label }: { image: string | readonly string[]; label?: string | undefined },
): Promise<void> {
  const options = { ...generation(flags), signal: terminal.signal };
  const before = label === undefined ? "" : `${label}: `;
  if (terminal.json || (options.returnSequences ?? 1) > 1) {
    const answer = await flamingo.generate(prompt, options);
    for (const [sequence, each] of (answer.sequences ?? [answer]).entries()) {
      terminal.line(terminal.json ? jsonOf(flamingo, image, each, sequence) : before + each.text);
    }
    return;
  }
  let first = true;
  for await (const piece of flamingo.stream(prompt, options)) {
    terminal.write(first ? before + piece.text : piece.text);
    first = false;
  }
  terminal.line();
}

/** Contract: "`--json`". That a model's words mean nothing is said with every answer of it. */
const jsonOf = (
  { trained }: Flamingo,
  image: string | readonly string[],
  { text, ids, finishReason, ...more }: Answer,
  sequence: number,
) => JSON.stringify({ image, text, ids, finishReason, sequence, ...more, ...(!trained && { trained }) });
