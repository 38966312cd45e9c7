/** Boxes, of which an AVIF is made. Facts: ISO/IEC 14496-12, 4.2, and ISO/IEC 23008-12, 9.3.1. */

/** A box: its type, and where its content begins and ends. */
export interface Box {
  readonly type: string;
  readonly start: number;
  readonly end: number;
}

/** A place at which an `ipma` box names a property of an item. */
export interface Link {
  readonly item: number;
  /** From 1 on. */
  readonly property: number;
  readonly start: number;
  readonly end: number;
}

/** Boxes side by side, and links: more are no image but a way to keep a reader busy. */
const most = 2 ** 16;

/** The boxes side by side in a part of the file. @throws RangeError where the file is cut off in one */
export function boxesIn(view: DataView, { start, end }: Pick<Box, "start" | "end">): Box[] {
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

/** What an `ipma` box says. @throws RangeError where the file is cut off in it */
export function linksIn(view: DataView, { start: box }: Box): Link[] {
  const links: Link[] = [];
  const wideItem = view.getUint8(box) > 0;
  const length = 1 + (view.getUint8(box + 3) & 1);
  let at = box + 8;
  for (let entry = view.getUint32(box + 4); entry > 0; entry--) {
    const item = wideItem ? view.getUint32(at) : view.getUint16(at);
    at += wideItem ? 4 : 2;
    for (let link = view.getUint8(at++); link > 0; link--, at += length) {
      if (links.length === most) throw new RangeError(`more than ${most} properties`);
      // The highest bit says whether a reader must know the property.
      const property = length === 2 ? view.getUint16(at) & 0x7fff : view.getUint8(at) & 0x7f;
      links.push({ item, property, start: at, end: at + length });
    }
  }
  return links;
}
