/**
 * Conversions between modes, byte for byte as Pillow does them: to RGB, and to premultiplied alpha and back.
 *
 * Facts: Pillow 12.3.0, src/libImaging/Convert.c.
 */
import { type ByteRaster, channelsOf, type Raster, type RgbRaster } from "./image.js";

/** The product of two bytes that stand for 0 to 1, rounded; Pillow's integer formula gives the same. */
const product = (a: number, b: number): number => Math.round((a * b) / 255);

/**
 * The image in RGB. Alpha is dropped, no background shows through; 16-bit grey above 255 becomes white, as in the
 * reference implementation, and float grey is cut to whole numbers. Data that are colours already are shared, not
 * copied.
 */
export function toRgb(raster: Raster): RgbRaster {
  const { mode, width, height, data } = raster;
  if (mode === "RGB" || mode === "P") return { mode: "RGB", width, height, data };

  const channels = channelsOf[mode];
  const rgb = new Uint8Array(3 * width * height);
  for (let to = 0, from = 0; to < rgb.length; to += 3, from += channels) {
    if (mode === "CMYK") {
      const light = 255 - data[from + 3]!;
      for (let c = 0; c < 3; c++) rgb[to + c] = light - product(data[from + c]!, light);
    } else if (mode === "RGBA") {
      for (let c = 0; c < 3; c++) rgb[to + c] = data[from + c]!;
    } else {
      rgb.fill(Math.min(Math.max(data[from]!, 0), 255), to, to + 3);
    }
  }
  return { mode: "RGB", width, height, data: rgb };
}

/** Colours times alpha (the last sample), so that a hidden colour does not bleed into its neighbours. */
export function premultiply(raster: ByteRaster): ByteRaster {
  return mapColours(raster, product);
}

/** Colours divided by alpha, rounded down; where nothing or everything shows they stay as they are. */
export function unpremultiply(raster: ByteRaster): ByteRaster {
  return mapColours(raster, (colour, alpha) =>
    alpha === 0 || alpha === 255 ? colour : Math.min(255, Math.trunc((255 * colour) / alpha)),
  );
}

function mapColours(raster: ByteRaster, map: (colour: number, alpha: number) => number): ByteRaster {
  const channels = channelsOf[raster.mode];
  const data = raster.data.slice();
  for (let pixel = 0; pixel < data.length; pixel += channels) {
    const alpha = data[pixel + channels - 1]!;
    for (let c = pixel; c < pixel + channels - 1; c++) data[c] = map(data[c]!, alpha);
  }
  return { ...raster, data };
}
