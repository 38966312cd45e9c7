/** Rows of CSV and of tables with other delimiters, as RFC 4180 has them. */
import { Readable } from "node:stream";
import { CsvError, parse } from "csv-parse";
import { quoted } from "../base/quoted.js";
import { invalidData } from "./dataErrors.js";
import { textOf } from "./jsonRows.js";
import type { AnyRow, ListForm } from "./rows.js";

/** Bytes of a row. A quote that is never closed makes all that follows one row. */
const longestRow = 2 ** 20;
/** Columns of the first row. */
const mostColumns = 1000;

/**
 * @param name of the file, for messages and for its ending
 * @throws OpenFlamingoError `data-invalid` where quotes are wrong, from where on no row can be trusted, and for names of
 *   columns that are not UTF-8 or that are there twice
 */
export async function* csvRows(
  chunks: AsyncIterable<Uint8Array>,
  { list, name, form }: { readonly list: number; readonly name: string; readonly form: ListForm },
): AsyncGenerator<AnyRow, void> {
  const { first, all } = await withFirst(chunks);
  requireByteText(first, name);
  const delimiter = form.delimiter ?? delimiterOf(first, name);
  // Fields are read byte by byte (latin1) and decoded one by one, so that one that is not UTF-8 costs its row alone.
  const parser = parse({
    delimiter,
    encoding: "latin1",
    relax_column_count: true,
    skip_empty_lines: true,
    max_record_size: longestRow,
  });
  const source = Readable.from(all);
  source.on("error", (error) => parser.destroy(error));
  source.pipe(parser);
  let columns: readonly string[] | undefined;
  let number = 0;
  try {
    for await (const record of parser as AsyncIterable<readonly string[]>) {
      const fields = record.map((field) => textOf(Buffer.from(field, "latin1")));
      if (columns === undefined) {
        columns = columnsOf(fields, form.header ?? true, name);
        if (form.header ?? true) continue;
      }
      const at = {
        list,
        number: ++number,
        bytes: 100 + 2 * record.reduce((sum, each) => sum + each.length, 0),
      };
      if (fields.length !== columns.length) yield { ...at, fault: "wrong-columns" };
      else if (fields.includes(undefined)) yield { ...at, fault: "not-utf8" };
      else yield { ...at, values: Object.fromEntries(columns.map((column, i) => [column, fields[i]])) };
    }
  } catch (error) {
    throw error instanceof CsvError ? csvFault(error, name, delimiter) : error;
  } finally {
    source.destroy();
    parser.destroy();
  }
}

function columnsOf(
  fields: readonly (string | undefined)[],
  header: boolean,
  name: string,
): readonly string[] {
  const fail = (what: string) => invalidData(name, what, "Give each column one name, in UTF-8.");
  if (fields.length > mostColumns) {
    throw fail(`has ${fields.length} columns, at most ${mostColumns} are read`);
  }
  if (!header) return fields.map((_, i) => String(i + 1));
  const names = fields.map((field) => {
    if (field === undefined) throw fail("has names of columns that are not UTF-8");
    return field.trim();
  });
  const twice = names.find((each, i) => names.indexOf(each) < i);
  if (twice !== undefined) throw fail(`has two columns of the name ${quoted(twice)}`);
  return names;
}

/** The library's own message holds a piece of the file. */
function csvFault(error: CsvError, name: string, delimiter: string): Error {
  const { code, lines } = error as CsvError & { lines?: unknown };
  const line = typeof lines === "number" ? ` at line ${lines}` : "";
  const parted = `Fields are parted by ${quoted(delimiter)}; one with that, a quote or a line break in it is quoted, and quotes in it are doubled.`;
  const found: Readonly<Record<string, string>> = {
    CSV_QUOTE_NOT_CLOSED: `a quote is not closed${line}`,
    INVALID_OPENING_QUOTE: `a quote stands within a field that does not begin with one${line}`,
    CSV_INVALID_CLOSING_QUOTE: `something follows a closing quote${line}`,
    CSV_MAX_RECORD_SIZE: `a row has more than ${longestRow.toLocaleString("en-US")} bytes${line}: is a quote not closed?`,
  };
  return invalidData(name, found[code] ?? `is no CSV${line} (${code})`, parted);
}

/** UTF-16 and what holds zeros is no text in bytes. */
function requireByteText(first: Uint8Array, name: string): void {
  const utf16 = (first[0] === 0xff && first[1] === 0xfe) || (first[0] === 0xfe && first[1] === 0xff);
  if (utf16) throw invalidData(name, "is UTF-16", "Save it as UTF-8.");
}

/** What of comma, semicolon, tab and bar the first line has most of, outside quotes. */
function delimiterOf(first: Uint8Array, name: string): string {
  if (/\.tsv$/i.test(name)) return "\t";
  const text = Buffer.from(first.subarray(0, 2 ** 16)).toString("latin1");
  const line = /^(?:"(?:[^"]|"")*"|[^"\r\n])*/.exec(text)![0].replace(/"(?:[^"]|"")*"/g, "");
  const counts = [",", ";", "\t", "|"].map((each) => [line.split(each).length, each] as const);
  return counts.reduce((best, each) => (each[0] > best[0] ? each : best))[1];
}

/** The first bytes, and all of them, without a byte order mark. */
async function withFirst(chunks: AsyncIterable<Uint8Array>) {
  const parts = chunks[Symbol.asyncIterator]();
  const next = await parts.next();
  const whole = next.done ? new Uint8Array() : next.value;
  const marked = whole[0] === 0xef && whole[1] === 0xbb && whole[2] === 0xbf;
  const first = marked ? whole.subarray(3) : whole;
  async function* all() {
    try {
      yield first;
      for (;;) {
        const more = await parts.next();
        if (more.done) return;
        yield more.value;
      }
    } finally {
      await parts.return?.();
    }
  }
  return { first, all: all() };
}
