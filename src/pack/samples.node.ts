/** What becomes of a row. */
import { createHash } from "node:crypto";
import { basename } from "node:path";
import { quoted } from "../base/quoted.js";
import type { Row } from "./rows.js";
import type { Sample } from "./shardFile.node.js";

/** A sample, or why there is none, and what training will do with it that the user should know. */
export interface Made {
  /** What messages call the row. */
  readonly name: string;
  readonly sample?: Sample;
  /** Why there is no sample. */
  readonly skipped?: string;
  readonly warnings: readonly (readonly [cause: string, name: string])[];
  /** Images that are stored. */
  readonly images: number;
}

/** What a row is called: `captions.csv:17`, with what it names. */
export const rowName = (
  lists: readonly string[],
  { list, number }: Pick<Row, "list" | "number">,
  of?: string,
) => `${basename(lists[list] ?? "")}:${number}${of === undefined ? "" : ` ${quoted(of)}`}`;

/** A key of a sample: the same for the same row and seed, whatever shard it comes to lie in. */
export const keyOf = (seed: number, { list, number }: Pick<Row, "list" | "number">): string =>
  createHash("sha256").update(`${seed}\0${list}\0${number}`).digest("hex").slice(0, 32);

/** What the model's own tokens are written as: in a text, training takes them for these tokens. */
const specialTokens = ["<image>", "<|endofchunk|>", "<|endoftext|>"];

export const hasSpecialTokens = (text: string): boolean =>
  specialTokens.some((token) => text.includes(token));
