/**
 * Every error that reaches a user: what is wrong and where (message), what to do (hint), and a code that programs
 * can rely on. The command line's exit code follows from the code.
 */

/** Each code with the exit code of the command line (contract: 1 inside, 2 usage, 3 input, 4 model, 5 net, 6 room). */
export const exitCodes = {
  internal: 1, // a bug of ours
  backend: 1, // the runtime failed
  shape: 1, // a model was written with shapes that do not fit
  "logits-not-finite": 1,

  usage: 2, // unknown option, impossible setting
  "image-count": 2, // images and <image>s differ
  "prompt-too-long": 2,

  "image-missing": 3,
  "image-unreadable": 3, // empty, truncated, not an image
  "image-unsupported": 3, // an image of a format that is not read
  "shots-invalid": 3,

  "model-missing": 4,
  "model-invalid": 4, // openflamingo.json or a configuration
  "model-unsupported": 4, // a kind of model that is not known
  "checkpoint-missing": 4,
  "checkpoint-damaged": 4, // truncated, or not what its own header says
  "checkpoint-rejected": 4, // a pickle that would import or call
  "checkpoint-mismatch": 4, // missing, unexpected or mis-shaped tensors
  "weights-not-finite": 4,
  "tokenizer-invalid": 4,

  network: 5,
  memory: 6,
  disk: 6,
} as const;

export type ErrorCode = keyof typeof exitCodes;

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

  constructor(code: ErrorCode, message: string, options: { hint: string; cause?: unknown }) {
    super(message, options.cause === undefined ? {} : { cause: options.cause });
    this.code = code;
    this.hint = options.hint;
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
