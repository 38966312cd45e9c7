/** Images that are alike are encoded once, however often they come in a call. */

import type { EncodedImage } from "./encodedImages.js";
import type { ModelRunner } from "./modelRunner.js";

/** As `runner.encode`; keeps what it has encoded, and the pixels, as long as it lives itself. */
export function encodeOnce(runner: Pick<ModelRunner, "encode">): ModelRunner["encode"] {
  const known: { readonly pixels: Float32Array; readonly encoded: Promise<EncodedImage> }[] = [];
  return (pixels, options) => {
    // Two images mostly differ in their first pixels, so that comparing costs less than naming each by a digest.
    const same = known.find((other) => areEqual(other.pixels, pixels));
    if (same) return same.encoded;
    const encoded = runner.encode(pixels, options);
    known.push({ pixels, encoded });
    return encoded;
  };
}

function areEqual(a: Float32Array, b: Float32Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
