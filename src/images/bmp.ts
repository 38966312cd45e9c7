/**
 * BMP, which sharp does not read: 24 and 32 bits a pixel and 8 bits with a colour table, not compressed.
 *
 * Facts: Windows' BITMAPFILEHEADER and BITMAPINFOHEADER, and Pillow 12.3.0's BmpImagePlugin.py: the fourth
 * byte of 32 bits is no alpha, and a table of the greys in order makes the image grey.
 */
import type { OpenImage, Raster } from "./image.js";
import { inTurns, type Steps, samplesOfAStep } from "./turns.js";

/** @throws RangeError where the file is shorter than it says */
export async function openBmp(file: Uint8Array): Promise<OpenImage> {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const pixels = view.getUint32(10, true);
  const headerLength = view.getUint32(14, true);
  if (headerLength < 40) return { width: 0, height: 0, kind: "OS/2", decode: undefined };

  const width = view.getInt32(18, true);
  const rows = view.getInt32(22, true); // negative: from the top
  const height = Math.abs(rows);
  const bits = view.getUint16(28, true);
  const compression = view.getUint32(30, true);
  const kind = `${bits} bits a pixel${compression === 0 ? "" : `, compression ${compression}`}`;
  if (compression !== 0 || ![8, 24, 32].includes(bits)) return { width, height, kind, decode: undefined };

  const stride = 4 * Math.ceil((width * bits) / 32);
  if (width < 1 || height < 1 || pixels + stride * height > file.length) {
    throw new RangeError(`${width} × ${height} pixels from byte ${pixels} on, in ${file.length} bytes`);
  }
  const table = 14 + headerLength;
  const colours = view.getUint32(46, true) || 256;
  const grey = bits === 8 && isGreys(file.subarray(table, table + 4 * colours));

  function* decoding(): Steps<Raster> {
    const data = new Uint8Array((grey ? 1 : 3) * width * height);
    let to = 0;
    for (let y = 0; y < height; y++) {
      const row = pixels + stride * (rows < 0 ? y : height - 1 - y);
      for (let x = 0; x < width; x++) {
        // Blue, green and red stand in the pixel itself or in its entry of the table.
        const blue = bits === 8 ? table + 4 * file[row + x]! : row + x * (bits / 8);
        if (!grey) {
          data[to++] = file[blue + 2]!;
          data[to++] = file[blue + 1]!;
        }
        data[to++] = file[blue]!;
        if (to % samplesOfAStep === 0) yield;
      }
    }
    return { mode: grey ? "L" : bits === 8 ? "P" : "RGB", width, height, data };
  }
  return { width, height, kind, decode: ({ signal }) => inTurns(decoding(), signal) };
}

/** Whether a table (blue, green, red, nothing) has the grey of each number at its place. */
function isGreys(table: Uint8Array): boolean {
  return table.every((value, i) => i % 4 === 3 || value === Math.trunc(i / 4));
}
