/**
 * Every error that reaches a user: what is wrong and where (message), what to do (hint), a code that programs can rely
 * on, and the values of the message as data.
 */
import { printable } from "./quoted.js";

/** Kinds of errors, in the groups that the command line has an exit code for: `cli/exitCodes.ts`. */
export type ErrorCode =
  // Failures inside.
  | "internal" // a bug of ours
  | "backend" // the runtime failed
  | "closed" // the model was closed before, or during, the call
  | "shape" // a model was written with shapes that do not fit
  | "logits-not-finite"
  | "loss-not-finite" // a training step whose loss or gradients are no numbers
  // Wrong usage.
  | "usage" // unknown option, impossible setting
  | "image-count" // images and <image>s differ
  | "prompt-too-long"
  // Bad input files.
  | "image-missing"
  | "image-unreadable" // empty, truncated, not an image
  | "image-unsupported" // an image of a format that is not read
  | "shots-invalid"
  | "run-missing" // no training run in that folder
  | "run-invalid" // its description or its checkpoints
  | "run-locked" // another trainer writes there
  | "data-missing" // no shard, no file of training data
  | "data-invalid" // a damaged shard, or too much of the data that cannot be used
  | "data-missing" // a list of training data, or one of its files
  | "data-invalid"
  // Bad models.
  | "model-missing"
  | "model-invalid" // openflamingo.json or a configuration
  | "model-unsupported" // a kind of model that is not known
  | "checkpoint-missing"
  | "checkpoint-damaged" // truncated, or not what its own header says
  | "checkpoint-rejected" // a pickle that would import or call
  | "checkpoint-mismatch" // missing, unexpected or mis-shaped tensors
  | "weights-not-finite"
  | "tokenizer-invalid"
  // The rest.
  | "network"
  | "memory"
  | "disk";

/** The values that a message speaks of, by name: `{ images: 2, imageTokens: 1 }`. */
export type ErrorData = Readonly<Record<string, unknown>>;

/**
 * The one error class of the library.
 *
 * @example
 * try { await flamingo.caption("cat.jpg") }
 * catch (error) { if (error instanceof OpenFlamingoError && error.code === "image-missing") … }
 */
export class OpenFlamingoError extends Error {
  override readonly name = "OpenFlamingoError";
  readonly code: ErrorCode;
  /** What to do about it, one sentence. */
  readonly hint: string;
  /** What the message says in words, for programs; empty where there is nothing to add to the code. */
  readonly data: ErrorData;

  constructor(
    code: ErrorCode,
    message: string,
    { hint, cause, data = {} }: { hint: string; cause?: unknown; data?: ErrorData },
  ) {
    // Whatever text of a file has found its way here, no terminal obeys it.
    super(printable(message), cause === undefined ? {} : { cause });
    this.code = code;
    this.hint = printable(hint);
    this.data = data;
  }
}

/** An error that no input of a user should bring about. */
export const bug = (
  code: "internal" | "backend" | "shape",
  message: string,
  cause?: unknown,
): OpenFlamingoError =>
  new OpenFlamingoError(code, message, {
    hint: "This is a bug in the program: please report it with what you did.",
    cause,
  });
