/** The exit code of the process for each kind of error. Contract: "Exit codes". */
import type { ErrorCode } from "../base/errors.js";

export const exitCodes: Readonly<Record<ErrorCode, number>> = {
  internal: 1,
  backend: 1,
  closed: 1,
  shape: 1,
  "logits-not-finite": 1,

  usage: 2,
  "image-count": 2,
  "prompt-too-long": 2,

  "image-missing": 3,
  "image-unreadable": 3,
  "image-unsupported": 3,
  "shots-invalid": 3,
  "data-missing": 3,
  "data-invalid": 3,

  "model-missing": 4,
  "model-invalid": 4,
  "model-unsupported": 4,
  "checkpoint-missing": 4,
  "checkpoint-damaged": 4,
  "checkpoint-rejected": 4,
  "checkpoint-mismatch": 4,
  "weights-not-finite": 4,
  "tokenizer-invalid": 4,

  network: 5,
  memory: 6,
  disk: 6,
};

/** Stopped by a signal of the system, such as Ctrl-C. */
export const interrupted = 130;
