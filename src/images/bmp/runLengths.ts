/**
 * The run lengths of a BMP of 4 or 8 bits, unpacked.
 *
 * Facts: Windows' BI_RLE4 and BI_RLE8, and Pillow 12.3.0's BmpRleDecoder, whose readings of odd files are followed: a
 * run ends with its row, single pixels do not, and an odd number of single pixels of 4 bits loses its last.
 */
import type { Steps } from "../turns.js";

/**
 * The number of each pixel, a byte each, the row that is stored first in front.
 *
 * @param start the first byte of the run lengths
 * @throws RangeError where pixels are missing at the end
 */
export function* unpackRuns(
  file: Uint8Array,
  { start, bits, width, height }: { start: number; bits: 4 | 8; width: number; height: number },
): Steps<Uint8Array> {
  const numbers = new Uint8Array(width * height);
  const numberOf = (byte: number, i: number) => (bits === 8 ? byte : i % 2 === 0 ? byte >> 4 : byte & 15);
  let to = 0;
  let x = 0;
  let at = start;
  for (let code = 1; to < numbers.length; code++) {
    const [count, value] = [file[at], file[at + 1]];
    if (count === undefined || value === undefined) break;
    at += 2;
    if (count > 0) {
      const run = Math.max(0, Math.min(count, width - x));
      for (let i = 0; i < run; i++) numbers[to + i] = numberOf(value, i);
      to += run;
      x += run;
    } else if (value === 0) {
      to = width * Math.ceil(to / width);
      x = 0;
    } else if (value === 1) {
      break;
    } else if (value === 2) {
      if (at + 2 > file.length) break;
      to += file[at]! + width * file[at + 1]!;
      x = to % width;
      at += 2;
    } else {
      const end = at + (bits === 8 ? value : Math.trunc(value / 2));
      const pixels = (Math.min(end, file.length) - at) * (8 / bits);
      for (let i = 0; i < pixels; i++) numbers[to + i] = numberOf(file[at + Math.trunc((i * bits) / 8)]!, i);
      to += pixels;
      if (end > file.length) break;
      x += value;
      at = end + (end % 2); // codes begin at even bytes of the file
    }
    if (code % 2 ** 12 === 0) yield;
  }
  if (to < numbers.length) throw new RangeError(`${to} pixels of ${numbers.length}`);
  return numbers;
}
