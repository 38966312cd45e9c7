/** An image file directory: the list of tags that TIFF and EXIF share. Facts: TIFF 6.0, "Image File Directory". */

export interface Entry {
  readonly tag: number;
  /** The first. */
  readonly value: number;
}

const [short, long] = [3, 4] as const;

/**
 * The entries of the first directory whose values are whole numbers of 16 or 32 bits.
 *
 * @throws RangeError at the entry where the bytes end
 */
export function* directoryOf(file: Uint8Array): Generator<Entry> {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const littleEndian = file[0] === "I".charCodeAt(0);
  const shortAt = (at: number) => view.getUint16(at, littleEndian);
  const longAt = (at: number) => view.getUint32(at, littleEndian);

  const directory = longAt(4);
  const end = directory + 2 + 12 * shortAt(directory);
  for (let entry = directory + 2; entry < end; entry += 12) {
    const [tag, type, count] = [shortAt(entry), shortAt(entry + 2), longAt(entry + 4)];
    const bytes = type === short ? 2 : type === long ? 4 : 0;
    if (bytes === 0 || count === 0) continue;
    // Up to four bytes stand in the entry itself, more where it points to.
    const at = count * bytes <= 4 ? entry + 8 : longAt(entry + 8);
    yield { tag, value: type === short ? shortAt(at) : longAt(at) };
  }
}
