/** Captions of many images, in their order: the next ones are read and decoded while the model works on one. */
import { type ErrorCode, OpenFlamingoError } from "../base/errors.js";
import { mapInOrder } from "../base/mapInOrder.js";
import type { Answer } from "../generate/answers.js";
import type { ImageSource } from "../images/index.js";
import type { CaptionResult } from "./flamingo.js";

/** Errors that say something of one image, and nothing of the others. */
const ofOneImage: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "image-missing",
  "image-unreadable",
  "image-unsupported",
  "network",
]);

/** Whether an error belongs to one image, so that others may still be answered. */
export const concernsOneImage = (error: unknown): error is OpenFlamingoError =>
  error instanceof OpenFlamingoError && ofOneImage.has(error.code);

/** @param caption captions one image; a signal tells it that nobody waits any more */
export function captionAll(
  images: Iterable<ImageSource> | AsyncIterable<ImageSource>,
  concurrency: number,
  caption: (image: ImageSource, signal: AbortSignal) => Promise<Answer>,
): AsyncGenerator<CaptionResult, void> {
  return mapInOrder(images, concurrency, async (image, index, signal): Promise<CaptionResult> => {
    try {
      return { index, image, answer: await caption(image, signal) };
    } catch (error) {
      if (concernsOneImage(error)) return { index, image, error };
      throw error;
    }
  });
}
