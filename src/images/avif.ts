/**
 * What an AVIF wants done with its pixels after they are decoded: turned (`irot`), mirrored (`imir`), cut (`clap`).
 *
 * libheif, which decodes for sharp, does all of it; Pillow does nothing, and shows turning as an EXIF orientation.
 * Facts: ISO/IEC 23008-12 (HEIF), 6.5 and 9.3, and ISO/IEC 14496-12, 8.11; Pillow 12.3.0, src/_avif.c.
 */

/** Boxes side by side, and links: more are no image but a way to keep a reader busy. */
const most = 2 ** 16;

/** A box of the file: its type, and where its content begins and ends. */
interface Box {
  readonly type: string;
  readonly start: number;
  readonly end: number;
}

/**
 * By quarter turns against the clock: not mirrored, mirrored top to bottom (axis 0), mirrored left to right (axis 1).
 */
const orientations = [
  [1, 8, 3, 6],
  [4, 5, 2, 7],
  [2, 7, 4, 5],
] as const;

/**
 * @returns the file with all of this taken out, as a copy if there was any; and the EXIF orientation that stands for it
 * @throws RangeError where the file is cut off
 */
export function readAvif(file: Uint8Array): { readonly plain: Uint8Array; readonly orientation: number } {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const meta = boxesIn(view, 0, file.length).find(({ type }) => type === "meta");
  if (!meta) return { plain: file, orientation: 1 };
  const parts = boxesIn(view, meta.start + 4, meta.end);
  const primary = parts.find(({ type }) => type === "pitm");
  const itemOf = (at: number, wide: boolean) => (wide ? view.getUint32(at) : view.getUint16(at));
  const primaryItem = primary && itemOf(primary.start + 4, view.getUint8(primary.start) > 0);
  const properties = parts
    .filter(({ type }) => type === "iprp")
    .flatMap(({ start, end }) => boxesIn(view, start, end));
  const container = properties.find(({ type }) => type === "ipco");
  if (!container) return { plain: file, orientation: 1 };
  const all = boxesIn(view, container.start, container.end);

  let plain = file;
  let [turns, mirrored] = [0, 0];
  for (const { item, at, wide } of properties.flatMap((box) =>
    box.type === "ipma" ? linksIn(view, box) : [],
  )) {
    const index = wide ? view.getUint16(at) & 0x7fff : view.getUint8(at) & 0x7f;
    const property = all[index - 1];
    if (!property || !["irot", "imir", "clap"].includes(property.type)) continue;
    if (plain === file) plain = new Uint8Array(file);
    plain.fill(0, at, at + (wide ? 2 : 1)); // 0 is no property
    if (item !== primaryItem || property.type === "clap") continue;
    const value = view.getUint8(property.start);
    if (property.type === "irot") turns = value & 3;
    else mirrored = 1 + (value & 1);
  }
  return { plain, orientation: orientations[mirrored]![turns]! };
}

/** The boxes side by side in a part of the file. */
function boxesIn(view: DataView, start: number, end: number): Box[] {
  const boxes: Box[] = [];
  for (let at = start; at + 8 <= end; ) {
    const size = view.getUint32(at);
    const type = String.fromCharCode(...[4, 5, 6, 7].map((i) => view.getUint8(at + i)));
    const large = size === 1; // then the size follows the type
    const length = large ? Number(view.getBigUint64(at + 8)) : size === 0 ? end - at : size;
    if (length < 8 || at + length > end) break;
    if (boxes.length === most) throw new RangeError(`more than ${most} boxes`);
    boxes.push({ type, start: at + (large ? 16 : 8), end: at + length });
    at += length;
  }
  return boxes;
}

/**
 * Where an `ipma` box links items with properties: one byte or two, of which the highest bit is no part of the number.
 */
function linksIn(view: DataView, { start }: Box): { item: number; at: number; wide: boolean }[] {
  const links: { item: number; at: number; wide: boolean }[] = [];
  const wideItem = view.getUint8(start) > 0;
  const wide = (view.getUint8(start + 3) & 1) === 1;
  let at = start + 8;
  for (let entry = view.getUint32(start + 4); entry > 0; entry--) {
    const item = wideItem ? view.getUint32(at) : view.getUint16(at);
    at += wideItem ? 4 : 2;
    for (let link = view.getUint8(at++); link > 0; link--, at += wide ? 2 : 1) {
      if (links.length === most) throw new RangeError(`more than ${most} properties`);
      links.push({ item, at, wide });
    }
  }
  return links;
}
