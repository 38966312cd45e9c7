/**
 * Keys and values of tokens that a model has read, for `forward` to go on from.
 *
 * One piece of memory serves a text and all that is read after it: going on from the same past a second time writes
 * over what followed it the first time, and the past of that is then rejected.
 */
import { dispose } from "../../base/dispose.js";
import type { Decoder } from "../../runner/decoder.js";
import { usage } from "./inputs.js";

/** Close it when it is no longer needed; the model's own `close` does it too. */
export interface PastKeyValues extends Disposable {
  /** Tokens of each row, padding left out. */
  readonly lengths: readonly number[];
  close(): void;
}

/** The memory that several pasts share. */
interface Memory {
  readonly decoder: Decoder;
  /** The last that was written; none once the memory was given back. */
  latest?: Past | undefined;
  readonly onClosed: () => void;
}

export interface Past extends PastKeyValues {
  readonly memory: Memory;
  /** What it goes on from. */
  readonly parent: Past | undefined;
}

/**
 * @param decoder has read the tokens; it is closed with the past, and with all that go on from it
 * @param onClosed called then
 */
export const firstPast = (decoder: Decoder, lengths: readonly number[], onClosed: () => void): Past =>
  write({ decoder, onClosed }, lengths, undefined);

/** After a further text of so many tokens has been read. */
export const furtherPast = (parent: Past, tokens: number): Past =>
  write(
    parent.memory,
    parent.lengths.map((length) => length + tokens),
    parent,
  );

function write(memory: Memory, lengths: readonly number[], parent: Past | undefined): Past {
  const close = () => {
    memory.latest = undefined;
    memory.decoder.close();
    memory.onClosed();
  };
  memory.latest = { lengths, memory, parent, close, [dispose]: close };
  return memory.latest;
}

/** @throws OpenFlamingoError `usage` for a past that is closed, or whose memory holds something else by now */
export function requireWhole(asked: Past): void {
  if (!asked.memory.latest)
    throw usage("pastKeyValues are closed", "Close them when nothing goes on from them.");
  for (let each: Past | undefined = asked.memory.latest; each; each = each.parent) {
    if (each === asked) return;
  }
  throw usage(
    "pastKeyValues: another text was read after the same beginning, and stands in its place",
    "Go on from the beginning again.",
  );
}
