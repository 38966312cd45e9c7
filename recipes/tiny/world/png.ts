/** Pixels as a PNG file, which loses none of them. */
import sharp from "sharp";

/** @param pixels red, green, blue of a square, row by row */
export function pngOf(pixels: Uint8Array): Promise<Uint8Array> {
  const side = Math.sqrt(pixels.length / 3);
  return sharp(pixels, { raw: { width: side, height: side, channels: 3 } })
    .png({ compressionLevel: 3 })
    .toBuffer();
}
