/** A file made to do harm, what it hopes for, and the words in which it is rejected. */
import type { ErrorCode } from "../../src/base/errors.js";

export interface HostileRow {
  readonly name: string;
  /** What its writer hopes for, one sentence. */
  readonly tries: string;
  /** The file, or the part of one that the table's heading names; latin1. */
  readonly bytes: string;
  readonly code: ErrorCode;
  /** A part of the message that no other row has. */
  readonly message: string;
}

/** The file that a payload would make, in the folder where it runs. */
export const canaryFile = "hostile-canary";
