/**
 * What an AVIF says of its pixels and libheif, which decodes for sharp, treats in another way than Pillow.
 *
 * Turning (`irot`), mirroring (`imir`) and cutting (`clap`) are done by libheif and not by Pillow, which shows the
 * first two as an EXIF orientation. Grey, its range, and colours that are multiplied by alpha are looked at by Pillow
 * alone. Facts: ISO/IEC 23008-12 (HEIF), 6.5, 6.6 and 9.3; AV1 in ISOBMFF, 2.3; Pillow 12.3.0, src/_avif.c.
 */
import { type Box, boxesIn, linksIn } from "./boxes.js";

export interface Avif {
  /** The file without turning, mirroring and cutting: a copy if there was any. */
  readonly plain: Uint8Array;
  /** By EXIF's numbers, 1 to 8. */
  readonly orientation: number;
  readonly grey: boolean;
  /** Grey is stored as 16 to 235. */
  readonly limited: boolean;
  readonly premultiplied: boolean;
}

/**
 * By quarter turns against the clock: not mirrored, mirrored top to bottom (axis 0), mirrored left to right (axis 1).
 */
const orientations = [
  [1, 8, 3, 6],
  [4, 5, 2, 7],
  [2, 7, 4, 5],
] as const;

/** @throws RangeError where the file is cut off */
export function readAvif(file: Uint8Array): Avif {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const within = (box: Box | undefined, skipped = 0) =>
    box ? boxesIn(view, { start: box.start + skipped, end: box.end }) : [];
  const named = (boxes: readonly Box[], name: string) => boxes.find(({ type }) => type === name);

  const meta = within(named(boxesIn(view, { start: 0, end: file.length }), "meta"), 4);
  const properties = within(named(meta, "iprp"));
  const all = within(named(properties, "ipco"));
  const primary = primaryItem(view, named(meta, "pitm"));

  let plain = file;
  let [turns, mirrored, grey, limited] = [0, 0, false, false];
  for (const link of properties.flatMap((box) => (box.type === "ipma" ? linksIn(view, box) : []))) {
    const property = all[link.property - 1];
    if (!property) continue;
    const { type, start } = property;
    if (["irot", "imir", "clap"].includes(type)) {
      if (plain === file) plain = new Uint8Array(file);
      plain.fill(0, link.start, link.end); // the number of no property
    }
    if (link.item !== primary) continue;
    if (type === "irot") turns = view.getUint8(start) & 3;
    else if (type === "imir") mirrored = 1 + (view.getUint8(start) & 1);
    else if (type === "av1C") grey = (view.getUint8(start + 2) & 0x10) !== 0;
    else if (type === "colr" && view.getUint32(start) === nclx) limited = view.getUint8(start + 10) < 0x80;
  }
  const premultiplied = named(within(named(meta, "iref"), 4), "prem") !== undefined;
  return { plain, orientation: orientations[mirrored]![turns]!, grey, limited, premultiplied };
}

/** The kind of colour information that is numbers. */
const nclx = 0x6e636c78;

function primaryItem(view: DataView, box: Box | undefined): number | undefined {
  if (!box) return undefined;
  return view.getUint8(box.start) > 0 ? view.getUint32(box.start + 4) : view.getUint16(box.start + 4);
}
