/**
 * What the tests compared with golden values. Each comparison is noted as a line of JSON in a file that all processes
 * of a run share; at the end of a run they are counted. `scripts/parity.ts` makes docs/parity.md of them.
 */
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

/** The environment variable that names the file. Without it nothing is noted. */
export const notesVariable = "OPENFLAMINGO_PARITY_NOTES";

export interface Compared {
  readonly cases: number;
  readonly values: number;
  /** The largest difference; left out where values are identical: ids, bytes, names. */
  readonly largest?: number;
  /** What the test allows. */
  readonly bound?: number;
  /** Of `largest` and `bound`; absolute if left out. */
  readonly unit?: "absolute" | "relative";
  readonly backend?: "ort.ffi" | "ort.binding";
}

export interface Note extends Compared {
  readonly family: string;
}

/**
 * Notes what a test compared.
 * @param family `group/what/set`, e.g. `logits/at once/tiny-openflamingo-9b`: the table of docs/parity.md, and the
 *   first two columns of its row. `what` and `set` may be left out.
 */
export function compared(family: string, entry: Compared): void {
  const file = process.env[notesVariable];
  // One write a line, which other processes' lines do not break into.
  if (file) appendFileSync(file, `${JSON.stringify({ family, ...entry } satisfies Note)}\n`);
}

export const readNotes = (file: string): Note[] =>
  readFileSync(file, "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Note);

/** Notes of the same kind as one: cases and values added, of differences the largest. */
export function addUp(notes: readonly Note[], familyOf = ({ family }: Note) => family): Note[] {
  const sums = new Map<string, Note>();
  for (const note of notes) {
    const family = familyOf(note);
    const key = [family, note.backend, note.unit, note.bound, note.largest === undefined].join();
    const { cases = 0, values = 0, largest = 0 } = sums.get(key) ?? {};
    const sum = { ...note, family, cases: cases + note.cases, values: values + note.values };
    const most = note.largest !== undefined && { largest: Math.max(largest, note.largest) };
    sums.set(key, { ...sum, ...most });
  }
  return [...sums.values()];
}

/** A difference or bound, short: `1e-4`, `5.7e-6`, `0.75`, `16`. */
export const shown = (x: number): string =>
  x === 0 || x >= 0.01 ? `${Number(x.toPrecision(2))}` : x.toExponential(1).replace(".0", "");

/** The table that a note is for. */
export const groupOf = ({ family }: Note) => family.split("/")[0]!;

/** Prints the largest difference of each group, and the count. */
function summarise(notes: readonly Note[]): void {
  const groups = addUp(notes, groupOf).sort((a, b) => (a.family < b.family ? -1 : 1));
  for (const { family, backend, largest, bound, unit = "absolute" } of groups) {
    if (largest === undefined || bound === undefined) continue;
    const of = [family, ...(backend ? [`on ${backend}`] : [])].join(" ");
    console.log(`${of}: largest ${unit} difference ${shown(largest)}, allowed ${shown(bound)}`);
  }
  const sum = (of: "cases" | "values") => notes.reduce((total, note) => total + note[of], 0);
  console.log(`${sum("values")} golden values compared in ${sum("cases")} cases`);
}

/** Vitest's global setup: a file for the run, unless the caller named one; and the count at its end. */
export function setup(): () => void {
  const given = process.env[notesVariable];
  const file = given ?? join(mkdtempSync(join(tmpdir(), "openflamingo-parity-")), "notes.jsonl");
  writeFileSync(file, "");
  process.env[notesVariable] = file;
  return () => {
    summarise(readNotes(file));
    if (given === undefined) rmSync(dirname(file), { recursive: true });
  };
}
