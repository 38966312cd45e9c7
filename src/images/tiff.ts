/**
 * The mode of a TIFF, from the tags of its first image.
 *
 * Facts: TIFF 6.0, "Image File Directory", and the table of kinds in Pillow 12.3.0's TiffImagePlugin.py.
 */
import type { Mode } from "./image.js";

/** The tags by their numbers. */
const bitsPerSample = 258;
const compression = 259;
const photometric = 262;
const samplesPerPixel = 277;
const extraSamples = 338;
const sampleFormat = 339;

/**
 * The mode in which Pillow opens this TIFF; undefined for a kind that it or we do not read.
 *
 * Two kinds that Pillow 12.3.0 reads and then garbles come out whole here: big-endian 16-bit grey, when it is
 * resized, and big-endian float compressed with a predictor.
 */
export function tiffMode(file: Uint8Array): Mode | undefined {
  const tags = readTags(file);
  const bits = tags.get(bitsPerSample) ?? 1;
  const samples = tags.get(samplesPerPixel) ?? 1;
  const alpha = tags.get(extraSamples) ?? 2; // 0: no alpha, 1: premultiplied, 2: not premultiplied
  const colours = tags.get(photometric);
  const format = tags.get(sampleFormat) ?? 1; // 1: unsigned, 2: signed, 3: float

  if (format === 3) return samples === 1 && bits === 32 ? "F" : undefined;
  if (format !== 1) return undefined;
  switch (colours) {
    case 0: // grey, white is 0; Pillow forgets that in 16 bits
    case 1: // grey, black is 0
      if (samples === 2) return bits === 8 && alpha === 2 ? "LA" : undefined;
      if (bits === 16) return colours === 1 ? "I;16" : undefined;
      return ({ 1: "1", 2: "L", 4: "L", 8: "L" } as const)[bits];
    case 2: // red, green, blue
      if (bits !== 8 && bits !== 16) return undefined;
      if (samples === 3 || alpha === 0) return "RGB";
      return alpha === 2 ? "RGBA" : undefined; // sharp divides by alpha in another way
    case 3:
      return samples === 1 ? "P" : undefined;
    case 5: // inks
      return bits === 8 ? "CMYK" : undefined;
    case 6: // luma and chroma
      return tags.get(compression) === 7 ? "RGB" : undefined; // as a JPEG inside
    default:
      return undefined;
  }
}

/** The first value of each tag that is a 16-bit number, as all of the above are. */
function readTags(file: Uint8Array): Map<number, number> {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const littleEndian = file[0] === "I".charCodeAt(0);
  const short = (at: number) => view.getUint16(at, littleEndian);
  const long = (at: number) => view.getUint32(at, littleEndian);

  const tags = new Map<number, number>();
  const directory = long(4);
  const end = directory + 2 + 12 * short(directory);
  for (let entry = directory + 2; entry < end; entry += 12) {
    const [tag, type, count] = [short(entry), short(entry + 2), long(entry + 4)];
    // Up to two values stand in the entry itself, more where it points to.
    if (type === 3) tags.set(tag, short(count <= 2 ? entry + 8 : long(entry + 8)));
  }
  return tags;
}
