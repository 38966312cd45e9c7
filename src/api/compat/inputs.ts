/** What the compatible API is given, checked: rows of ids with their masks, and the tensor of images. */
import { OpenFlamingoError } from "../../base/errors.js";
import type { MaybePromise, Tensor } from "./tensor.js";

/** Rows of ids, (B, T), all of one length. */
export type Ids = readonly (readonly number[])[];
/** (B, T): 1 or true for an id of the text, 0 or false for padding. */
export type Mask = readonly (readonly (number | boolean)[])[];
/** (B, T_img, F, C, H, W) with F = 1. */
export type VisionX = MaybePromise<Tensor>;

/** A row without its padding. */
export interface TextRow {
  readonly ids: readonly number[];
  /** Its first place in the padded row. */
  readonly start: number;
}

/**
 * The rows without their padding.
 *
 * @param padding "left": padding behind a text is rejected too, as generation needs
 * @throws OpenFlamingoError `usage` for rows or masks of unequal length, ids that the model does not have, a row
 *   without any text, and padding inside a text
 */
export function textRows(
  langX: Ids,
  mask: Mask | undefined,
  { vocabulary, padding }: { readonly vocabulary: number; readonly padding: "left" | "either" },
): readonly TextRow[] {
  const width = langX[0]?.length ?? 0;
  if (width === 0) throw usage("langX has no ids", "Give at least one row with at least one id.");
  return langX.map((row, b) => {
    if (row.length !== width) throw usage(`langX: row ${b} has ${row.length} ids, row 0 has ${width}`, pad);
    const wrong = row.findIndex((id) => !(Number.isInteger(id) && id >= 0 && id < vocabulary));
    if (wrong >= 0) {
      throw usage(
        `langX: row ${b} has the id ${row[wrong]} at place ${wrong}, the model has 0 to ${vocabulary - 1}`,
        "Use the tokenizer that came with the model.",
      );
    }
    const shown = mask ? (mask[b]?.map(Boolean) ?? []) : row.map(() => true);
    if (shown.length !== width) {
      throw usage(`attentionMask: row ${b} has ${shown.length} values for ${width} ids`, pad);
    }
    const start = shown.indexOf(true);
    const end = shown.lastIndexOf(true) + 1;
    if (start < 0) throw usage(`attentionMask: row ${b} is padding only`, "Give every row some text.");
    if (shown.slice(start, end).includes(false)) {
      throw usage(`attentionMask: row ${b} has padding inside its text`, "Padding goes to one side.");
    }
    if (padding === "left" && end < width) {
      throw usage(`row ${b} is padded on the right`, 'For generation set tokenizer.paddingSide = "left".');
    }
    return { ids: row.slice(start, end), start };
  });
}

const pad = "tokenizer(texts, { padding: true }) makes rows of one length, with their mask.";

/**
 * The pixels of each row's images, (C, H, W) each.
 *
 * @param rows how many texts there are; images of one row serve all of them
 * @param side of the images that the vision encoder takes
 * @throws OpenFlamingoError `shape` for another shape than the model takes, with the reference implementation's words
 *   where it has some
 */
export function pixelsOf(
  { shape, data }: Tensor,
  rows: number,
  side: number,
): readonly (readonly Float32Array[])[] {
  const given = `(${shape.join(", ")})`;
  const wrong = (what: string, hint: string) =>
    new OpenFlamingoError("shape", `visionX is ${given}: ${what}`, { hint });
  const [b, images, frames, channels, height, width] = shape as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  if (shape.length !== 6) {
    throw wrong(
      "it should be of shape (b, T_img, F, C, H, W)",
      "stack(images.map(imageProcessor)) makes it.",
    );
  }
  if (frames !== 1) throw wrong("only a single frame is supported", "Give the frames of a film as images.");
  if (channels !== 3 || height !== side || width !== side) {
    throw wrong(
      `this model's images are (3, ${side}, ${side})`,
      "Make them with the model's image processor.",
    );
  }
  if (b !== rows && b !== 1) throw wrong(`langX has ${rows} rows`, "Give each row its images.");
  const each = 3 * side * side;
  if (data.length !== b * images * each) {
    throw wrong(`its data has ${data.length} numbers`, `Its shape says ${b * images * each}.`);
  }
  return Array.from({ length: rows }, (_, row) =>
    Array.from({ length: images }, (_, t) => {
      const first = ((b === 1 ? 0 : row) * images + t) * each;
      return data.subarray(first, first + each);
    }),
  );
}

export const usage = (what: string, hint: string) => new OpenFlamingoError("usage", what, { hint });
