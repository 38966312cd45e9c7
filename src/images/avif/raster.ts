/** The pixels of an AVIF as Pillow has them, from those that sharp decodes. Facts: libavif 1.4, src/reformat.c. */
import { type ByteRaster, channelsOf } from "../image.js";
import { type Steps, samplesOfAStep } from "../turns.js";
import type { Avif } from "./header.js";

/** @param decoded in RGB or RGBA; its memory is used again */
export function* avifRaster(
  decoded: ByteRaster,
  { grey, limited, premultiplied }: Pick<Avif, "grey" | "limited" | "premultiplied">,
): Steps<ByteRaster> {
  const { mode, data } = decoded;
  const channels = channelsOf[mode];
  const hasAlpha = mode === "RGBA";
  const kept = grey && !hasAlpha ? 1 : channels;
  if (!(grey || (hasAlpha && premultiplied))) return decoded;

  const levels = Uint8Array.from({ length: 256 }, (_, i) =>
    grey && limited ? Math.min(Math.max(Math.round(((i - 16) * 255) / 219), 0), 255) : i,
  );
  const colours = Math.min(kept, 3);
  for (let from = 0, to = 0; from < data.length; from += channels, to += kept) {
    const alpha = hasAlpha ? data[from + 3]! : 255;
    for (let c = 0; c < colours; c++) {
      const level = levels[data[from + c]!]!;
      data[to + c] = premultiplied && alpha > 0 ? Math.min(255, Math.round((255 * level) / alpha)) : level;
    }
    if (hasAlpha) data[to + 3] = alpha;
    if ((from / channels) % samplesOfAStep === 0) yield;
  }
  const { width, height } = decoded;
  return {
    mode: grey && !hasAlpha ? "L" : mode,
    width,
    height,
    data: data.subarray(0, kept * width * height),
  };
}
