/** Images and texts with which a model is measured: for calibration, and for reports. */
import { createHash } from "node:crypto";
import type { CalibrationSample } from "../runner/calibrate.js";

/** A prompt and the answer that is wanted. */
export interface Sample {
  /** float32 (3, S, S) each, normalised. */
  readonly images: readonly Float32Array[];
  readonly ids: readonly number[];
  readonly answer: readonly number[];
}

/** As one text to be read: the answer belongs to it. */
export const readWhole = ({ images, ids, answer }: Sample): CalibrationSample => ({
  images,
  ids: [...ids, ...answer],
});

/** What tells samples from others. */
export function digestOf(samples: readonly Sample[]): string {
  const hash = createHash("sha256");
  for (const { images, ids, answer } of samples) {
    hash.update(JSON.stringify([images.length, ids, answer]));
    for (const { buffer, byteOffset, byteLength } of images) {
      hash.update(new Uint8Array(buffer, byteOffset, byteLength));
    }
  }
  return hash.digest("hex");
}
