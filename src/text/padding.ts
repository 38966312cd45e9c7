/** Rows of ids of different lengths as one rectangle with its attention mask. */
import { OpenFlamingoError } from "../base/errors.js";

export interface PaddedRows {
  readonly ids: number[][];
  /** 1 for an id of the row, 0 for padding. */
  readonly mask: number[][];
}

/**
 * Pads every row to the same length.
 *
 * @param rows ids, cut to a limit already (`maxLength` of `encode`)
 * @param options.padding the id to pad with
 * @param options.side where padding goes: left for generation, right for training
 * @param options.length the length of all rows; that of the longest if absent
 * @throws OpenFlamingoError `usage`: a row that is longer than `length`
 */
export function padRows(
  rows: readonly (readonly number[])[],
  {
    padding,
    side,
    length,
  }: { readonly padding: number; readonly side: "left" | "right"; readonly length?: number },
): PaddedRows {
  const longest = rows.reduce((most, row) => Math.max(most, row.length), 0);
  const width = length ?? longest;
  if (longest > width) {
    throw new OpenFlamingoError("usage", `padding: a row has ${longest} ids, length is ${width}`, {
      hint: "Cut the rows, or give a larger length.",
    });
  }
  const pad = (row: readonly number[], value: number) => {
    const filling = new Array<number>(width - row.length).fill(value);
    return side === "left" ? [...filling, ...row] : [...row, ...filling];
  };
  return {
    ids: rows.map((row) => pad(row, padding)),
    mask: rows.map((row) =>
      pad(
        row.map(() => 1),
        0,
      ),
    ),
  };
}
