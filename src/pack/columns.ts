/** Which column of a list is the image, the caption and so on: by the user's word, or by names in common use. */
import { quoted } from "../base/quoted.js";
import { invalidData } from "./dataErrors.js";
import { type AnyRow, type BadRow, isBad, type Row } from "./rows.js";

/** What a column can be. */
export type Role = "image" | "caption" | "question" | "answer" | "url";

/** The user's names of columns; of CSV without names, their numbers from 1. */
export type ColumnNames = { readonly [role in Role]?: string | undefined };

/** Names in common use, in lower case; the first that is there counts. */
const usual: Readonly<Record<Role, readonly string[]>> = {
  image: [
    "image",
    "image_path",
    "path",
    "filepath",
    "file",
    "file_name",
    "filename",
    "image_name",
    "img",
    "key",
  ],
  caption: ["caption", "text", "captions", "top_caption", "title", "alt"],
  question: ["question"],
  answer: ["answer", "multiple_choice_answer"],
  url: ["url", "image_url", "raw_url"],
};

/** A row whose texts are found. */
export interface Texts<R extends Role = Role> extends Omit<Row, "values"> {
  readonly texts: Readonly<Record<R, string>>;
}

/** Characters of a text; a longer one is no caption. */
const longestText = 100_000;

/**
 * The column of a role.
 *
 * @returns undefined where it is not there
 */
export function columnOf(role: Role, columns: readonly string[], names: ColumnNames): string | undefined {
  const asked = names[role];
  if (asked !== undefined) return columns.includes(asked) ? asked : undefined;
  const lower = columns.map((column) => column.toLowerCase());
  for (const name of usual[role]) {
    const at = lower.indexOf(name);
    if (at >= 0) return columns[at];
  }
  return undefined;
}

/**
 * The columns of all roles.
 *
 * @throws OpenFlamingoError `data-invalid` when one is not there
 */
export function requireColumns<R extends Role>(
  roles: readonly R[],
  columns: readonly string[],
  names: ColumnNames,
  file: string,
): Readonly<Record<R, string>> {
  const found = roles.map((role) => [role, columnOf(role, columns, names)] as const);
  const missing = found.filter(([, column]) => column === undefined).map(([role]) => role);
  if (missing.length > 0) {
    const asked = missing.map((role) =>
      names[role] === undefined ? role : `${role} (${quoted(names[role])})`,
    );
    throw invalidData(
      file,
      `has no column for ${asked.join(" and ")}; its columns are ${quoted(columns)}`,
      `Say which they are: ${missing.map((role) => `--${role}-column`).join(" and ")}, columns in the library.`,
    );
  }
  return Object.fromEntries(found) as Record<R, string>;
}

/** Rows → their texts. Numbers are taken as text; another value, or none, makes a row that cannot be read. */
export async function* textsOf<R extends Role>(
  rows: AsyncIterable<AnyRow>,
  {
    roles,
    names,
    file,
  }: { readonly roles: readonly R[]; readonly names: ColumnNames; readonly file: string },
): AsyncGenerator<Texts<R> | BadRow, void> {
  let columns: Readonly<Record<R, string>> | undefined;
  for await (const row of rows) {
    if (isBad(row)) {
      yield row;
      continue;
    }
    columns ??= requireColumns(roles, Object.keys(row.values), names, file);
    const { list, number, bytes } = row;
    const texts: Partial<Record<R, string>> = {};
    let fault: BadRow["fault"] | undefined;
    for (const role of roles) {
      const value = Object.hasOwn(row.values, columns[role]) ? row.values[columns[role]] : undefined;
      const text = typeof value === "number" || typeof value === "bigint" ? String(value) : value;
      if (typeof text !== "string" || text.trim() === "") fault ??= `no-${role}`;
      else if (text.length > longestText) fault ??= "too-long";
      else texts[role] = text;
    }
    yield fault === undefined
      ? { list, number, bytes, texts: texts as Record<R, string> }
      : { list, number, bytes: 100, fault };
  }
}
