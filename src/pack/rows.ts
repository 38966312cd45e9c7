/** Rows of a list of training data, as they come from a file of any form. */

/** A row, with the values of its columns. */
export interface Row {
  /** Which of the lists it is from, counted from 0. */
  readonly list: number;
  /** Which row of its list, counted from 1; lines of names are not counted. */
  readonly number: number;
  /** By the columns' names; without names, by their numbers from 1. */
  readonly values: Readonly<Record<string, unknown>>;
  /** Roughly what it takes in memory. */
  readonly bytes: number;
}

/** Why a row cannot be read; the others can. */
export type RowFault =
  | "not-utf8"
  | "not-json"
  | "too-long"
  | "wrong-columns"
  | "duplicate" // of an earlier row
  | `no-${"image" | "caption" | "question" | "answer" | "url"}`;

/** A row that cannot be read. */
export interface BadRow extends Omit<Row, "values"> {
  readonly fault: RowFault;
}

export type AnyRow = Row | BadRow;

export const isBad = (row: object): row is BadRow => "fault" in row;

/** How rows of text are read. */
export interface ListForm {
  /** What parts the fields of CSV. Default: tab in files that end in .tsv, else what the first line has most of. */
  readonly delimiter?: string | undefined;
  /** Whether the first line of CSV has the columns' names. Default: true. */
  readonly header?: boolean | undefined;
}
