/** Small whole images, and the error that a source of one is rejected with. */
import sharp from "sharp";
import { expect } from "vitest";
import { OpenFlamingoError } from "../../src/base/errors.js";
import { type DecodeOptions, decodeImage } from "../../src/images/decode.node.js";
import type { ImageSource } from "../../src/images/image.js";

/** 7 × 5 pixels. */
export const grey = { create: { width: 7, height: 5, channels: 3, background: "#808080" } } as const;
export const png = new Uint8Array(await sharp(grey).png().toBuffer());
export const jpeg = new Uint8Array(await sharp(grey).jpeg().toBuffer());

/** The error that an image is rejected with; its text must be whole and none of a library's. */
export async function rejection(source: ImageSource, options?: DecodeOptions): Promise<OpenFlamingoError> {
  const error = await decodeImage(source, options).then(
    () => "read without error",
    (error: unknown) => error,
  );
  if (!(error instanceof OpenFlamingoError)) throw new Error(`expected a rejection, got: ${error}`);
  expect(error.hint).toBeTruthy();
  expect(error.message).not.toMatch(/vips|libpng|buffer|undefined|\[object/i);
  return error;
}
