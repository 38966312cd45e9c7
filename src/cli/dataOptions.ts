/** Options that `data pack` and `data fetch` share, and how they show what was done. */
import { Option } from "commander";
import type { Role } from "../pack/columns.js";
import type { Counts } from "../pack/tally.js";
import { count } from "./options.js";
import { rowsOf } from "./table.js";

export interface ListFlags {
  readonly delimiter?: string;
  /** False: `--no-header`. */
  readonly header: boolean;
  readonly imageColumn?: string;
  readonly captionColumn?: string;
  readonly questionColumn?: string;
  readonly answerColumn?: string;
  readonly urlColumn?: string;
}

export interface StoreFlags {
  readonly encode?: "keep" | "jpeg" | "png";
  readonly quality?: number;
  readonly maxSide?: number;
}

/** @param roles the columns that the command reads */
export const listOptions = (roles: readonly Role[]): readonly Option[] => [
  ...roles.map(
    (role) => new Option(`--${role}-column <name>`, `the column of the ${role} (default: found by its name)`),
  ),
  new Option("--delimiter <text>", "what parts the fields of CSV (default: found by the first line)"),
  new Option("--no-header", "CSV begins without a line of names: columns are numbers from 1"),
];

/** @param byDefault what is done if left out */
export const storeOptions = (byDefault: {
  readonly encode: string;
  readonly quality: string;
}): readonly Option[] => [
  new Option(
    "--encode <how>",
    `keep JPEG and PNG files as they are and write others as JPEG, or write all as jpeg or png (default: ${byDefault.encode})`,
  ).choices(["keep", "jpeg", "png"]),
  new Option("--quality <n>", `quality of JPEG, 1 to 100 (default: ${byDefault.quality})`).argParser(
    count(1),
  ),
  new Option("--max-side <n>", "scale images with a longer side down to it, in pixels").argParser(count(1)),
];

/** The library's options for what was given. */
export function listSettings({ delimiter, header, ...flags }: ListFlags) {
  const roles: readonly Role[] = ["image", "caption", "question", "answer", "url"];
  const named = roles.flatMap((role) => {
    const name = flags[`${role}Column`];
    return name === undefined ? [] : [[role, name] as const];
  });
  return {
    header,
    ...(delimiter !== undefined && { delimiter: delimiter === "\\t" ? "\t" : delimiter }),
    columns: Object.fromEntries(named),
  };
}

/** What was counted, a line a cause. */
export function shownCounts(title: string, counts: Counts): string {
  const rows = Object.entries(counts)
    .sort(([a, { count: ofA }], [b, { count: ofB }]) => ofB - ofA || (a < b ? -1 : 1))
    .map(([cause, { count, first }]) => [`  ${cause}`, count.toLocaleString("en-US"), first[0] ?? ""]);
  return rows.length === 0 ? "" : `${title}:\n${rowsOf(rows)}`;
}
