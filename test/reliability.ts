/**
 * What is rejected, and how. Each test of a rejection notes its row here; `npm run reliability` makes the tables of
 * docs/reliability.md of them.
 */
import { appendFileSync, readFileSync } from "node:fs";
import type { ErrorCode } from "../src/base/errors.js";

/** The environment variable that names the file of the notes. Without it nothing is noted. */
export const rejectionsVariable = "OPENFLAMINGO_REFUSALS";

export interface Rejection {
  /** The table in which it stands. */
  readonly group: string;
  /** What was given. */
  readonly input: string;
  readonly code: ErrorCode;
}

/** To be called after everything else of the test has passed. */
export function rejected(group: string, input: string, code: ErrorCode): void {
  const file = process.env[rejectionsVariable];
  if (file) appendFileSync(file, `${JSON.stringify({ group, input, code } satisfies Rejection)}\n`);
}

export const readRejections = (file: string): Rejection[] =>
  readFileSync(file, "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Rejection);
