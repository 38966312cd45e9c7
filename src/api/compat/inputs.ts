/** What the compatible API is given, checked: rows of ids with their masks, and the tensor of images. */
import { OpenFlamingoError } from "../../base/errors.js";
import { quoted } from "../../base/quoted.js";
import type { MaybePromise, TensorData } from "./tensorData.js";

/** A row of numbers, as an array or a typed array. */
export type NumberRow<T = number> =
  | readonly T[]
  | Int32Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array
  | Int16Array
  | Uint16Array
  | Int8Array
  | Uint8Array
  | Float32Array
  | Float64Array;
/** Rows of ids, (B, T), all of one length. */
export type Ids = readonly NumberRow[];
/** (B, T): 1 or true for an id of the text, 0 or false for padding. */
export type Mask = readonly NumberRow<number | boolean>[];
/** (B, T_img, F, C, H, W) with F = 1. */
export type VisionX = MaybePromise<TensorData>;

/** Rows as plain arrays of numbers. */
export type PlainRows = readonly (readonly number[])[];

/**
 * What is wrong with other arguments is reported before an image that may still be on its way is waited for. If it fails
 * then, nobody is there to hear of it, and that must not end the process.
 */
export function errorsComeLater(visionX: VisionX | null | undefined): void {
  Promise.resolve(visionX).catch(() => {});
}

/** A row without its padding. */
export interface TextRow {
  readonly ids: readonly number[];
  /** Its first position in the padded row. */
  readonly start: number;
}

/**
 * Rows of any kind as plain ones: typed arrays converted, true as 1.
 *
 * @param name of the argument, for errors
 * @throws OpenFlamingoError `usage` for what are no rows of numbers
 */
export function plainRows(name: string, rows: unknown): PlainRows {
  if (!Array.isArray(rows)) {
    throw usage(`${name} is ${quoted(rows)}; it must be a list of rows`, `Write ${name}: [[1, 2, 3]].`);
  }
  return rows.map((row: unknown, b) => {
    const isTyped = ArrayBuffer.isView(row) && !(row instanceof DataView);
    if (!Array.isArray(row) && !isTyped) {
      throw usage(
        `${name}: row ${b} is ${quoted(row)}; it must be an array or a typed array of numbers`,
        `Write ${name}: [[1, 2, 3]].`,
      );
    }
    return Array.from(row as ArrayLike<number | bigint | boolean>, Number);
  });
}

/**
 * The rows without their padding.
 *
 * @param padding "left": padding behind a text is rejected too, as generation needs
 * @throws OpenFlamingoError `usage` for rows or masks of unequal length, ids that the model does not have, a row
 *   without any text, and padding inside a text
 */
export function textRows(
  langX: PlainRows,
  mask: PlainRows | undefined,
  { vocabulary, padding }: { readonly vocabulary: number; readonly padding: "left" | "either" },
): readonly TextRow[] {
  const length = langX[0]?.length ?? 0;
  if (length === 0) throw usage("langX has no ids", "Give at least one row with at least one id.");
  if (mask && mask.length !== langX.length) {
    throw usage(`attentionMask has ${mask.length} rows, langX ${langX.length}`, pad);
  }
  return langX.map((row, b) => {
    if (row.length !== length) throw usage(`langX: row ${b} has ${row.length} ids, row 0 has ${length}`, pad);
    const wrong = row.findIndex((id) => !(Number.isInteger(id) && id >= 0 && id < vocabulary));
    if (wrong >= 0) {
      throw usage(
        `langX: row ${b} has the id ${row[wrong]} at position ${wrong}, the model has 0 to ${vocabulary - 1}`,
        "Use the tokenizer that came with the model.",
      );
    }
    const shown = mask ? mask[b]!.map(isText) : row.map(() => true);
    if (shown.length !== length) {
      throw usage(`attentionMask: row ${b} has ${shown.length} values for ${length} ids`, pad);
    }
    const start = shown.indexOf(true);
    const end = shown.lastIndexOf(true) + 1;
    if (start < 0) throw usage(`attentionMask: row ${b} is padding only`, "Give every row some text.");
    if (shown.slice(start, end).includes(false)) {
      throw usage(`attentionMask: row ${b} has padding inside its text`, "Padding goes to one side.");
    }
    if (padding === "left" && end < length) {
      throw usage(`row ${b} is padded on the right`, 'For generation set tokenizer.paddingSide = "left".');
    }
    return { ids: row.slice(start, end), start };
  });
}

const pad = "tokenizer(texts, { padding: true }) makes rows of one length, with their mask.";

function isText(value: number, position: number): boolean {
  if (value === 0 || value === 1) return value === 1;
  throw usage(
    `attentionMask has ${value} at position ${position}; it must be 1 or 0`,
    "1 is for an id of the text, 0 for padding.",
  );
}

/**
 * The pixels of each row's images, (C, H, W) each: copies, which the caller's later changes do not reach.
 *
 * @param rows how many texts there are; images of one row serve all of them
 * @param side of the images that the vision encoder takes, in pixels
 * @throws OpenFlamingoError `usage` for what is no tensor or holds numbers that are not finite; `shape` for another
 *   shape than the model takes, with the reference implementation's words where it has some
 */
export function pixelsOf(
  visionX: TensorData,
  rows: number,
  side: number,
): readonly (readonly Float32Array[])[] {
  const { shape, data } = requireTensor(visionX);
  const wrong = (what: string, hint: string) =>
    new OpenFlamingoError("shape", `visionX is (${shape.join(", ")}): ${what}`, { hint });
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
  const copy = data.slice();
  const bad = copy.findIndex((value) => !Number.isFinite(value));
  if (bad >= 0) {
    throw usage(
      `visionX holds ${copy[bad]} at index ${bad}`,
      "Pixels are finite numbers: check where they come from.",
    );
  }
  return Array.from({ length: rows }, (_, row) =>
    Array.from({ length: images }, (_, t) => {
      const first = ((b === 1 ? 0 : row) * images + t) * each;
      return copy.subarray(first, first + each);
    }),
  );
}

function requireTensor(visionX: unknown): TensorData {
  const { shape, data } = Object(visionX) as Partial<TensorData>;
  if (Array.isArray(shape) && data instanceof Float32Array) return { shape, data };
  throw usage(
    `visionX is ${quoted(visionX)}; it must be a tensor { shape, data }`,
    "stack(images.map(imageProcessor)) makes it.",
  );
}

export const usage = (what: string, hint: string) => new OpenFlamingoError("usage", what, { hint });
