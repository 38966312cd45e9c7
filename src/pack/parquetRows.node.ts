/** Rows of Parquet files, as LAION's lists are kept. */
import { open } from "node:fs/promises";
import { type AsyncBuffer, type Compressors, parquetMetadataAsync, parquetReadObjects } from "hyparquet";
import { compressors as known } from "hyparquet-compressors";
import { quoted } from "../base/quoted.js";
import { invalidData, missingData } from "./dataErrors.js";
import type { AnyRow } from "./rows.js";

/** Bytes that a page may have when it is decompressed, the columns of a row group together, and the file's footer. */
const limits = { page: 256 * 2 ** 20, group: 2 * 2 ** 30, footer: 256 * 2 ** 20 };
/** Rows that are read at a time. */
const pieceRows = 50_000;

const damagedHint = "Get the file again. Read are Parquet files of columns with plain values.";

/** The decompressors of the library, which take the header's word for how much comes out. */
const limited: Compressors = Object.fromEntries(
  Object.entries(known).map(([codec, decompress]) => [
    codec,
    (input: Uint8Array, length: number) => {
      if (!(length <= limits.page)) throw new Error("a page beyond the limit");
      return decompress(input, length);
    },
  ]),
);

/**
 * @param wanted which of the columns are read, from their names
 * @throws OpenFlamingoError `data-missing`; `data-invalid` for a file that is damaged or beyond the limits
 */
export async function* parquetRows(
  path: string,
  {
    list,
    wanted,
  }: { readonly list: number; readonly wanted: (columns: readonly string[]) => readonly string[] },
): AsyncGenerator<AnyRow, void> {
  const file = await open(path).catch((error: unknown) => {
    throw missingData(path, error);
  });
  const damaged = (cause: unknown): never => {
    throw invalidData(path, "is no Parquet file, or damaged", damagedHint, cause);
  };
  try {
    const { size } = await file.stat();
    const slice = async (start: number, end = size) => {
      if (!(start >= 0 && end - start <= limits.group)) throw new Error("a piece beyond the limit");
      const bytes = new Uint8Array(Math.max(0, end - start));
      const { bytesRead } = await file.read(bytes, 0, bytes.length, start);
      return bytesRead === bytes.length ? bytes.buffer : bytes.buffer.slice(0, bytesRead);
    };
    const source: AsyncBuffer = {
      byteLength: size,
      slice(start, end) {
        const piece = slice(start, end);
        piece.catch(() => {}); // the library asks for several ahead, and waits for none after the first that fails
        return piece;
      },
    };
    await requireFooter(source, path);
    const metadata = await parquetMetadataAsync(source).catch(damaged);
    const groups = metadata.row_groups.map(({ num_rows, columns }) => ({ rows: Number(num_rows), columns }));
    const names = metadata.schema
      .filter(({ num_children }, i) => i > 0 && !num_children)
      .map(({ name }) => name);
    const columns = [...wanted(names)];
    let start = 0;
    for (const group of groups) {
      if (!(Number.isSafeInteger(group.rows) && group.rows >= 0)) damaged(undefined);
      const bytes = group.columns
        .filter(({ meta_data }) => columns.includes(meta_data?.path_in_schema[0] ?? ""))
        .reduce((sum, { meta_data }) => sum + Number(meta_data?.total_uncompressed_size ?? 0), 0);
      if (!(bytes >= 0 && bytes <= limits.group)) {
        throw invalidData(
          path,
          `has a row group of ${bytes.toLocaleString("en-US")} bytes in ${columns.map((each) => quoted(each)).join(", ")}, the limit is ${limits.group.toLocaleString("en-US")}`,
          "Write it with smaller row groups.",
        );
      }
      for (let from = start; from < start + group.rows; from += pieceRows) {
        const rowEnd = Math.min(from + pieceRows, start + group.rows);
        const rows = await parquetReadObjects({
          ...{ file: source, metadata, compressors: limited, columns, rowStart: from, rowEnd },
        }).catch(damaged);
        for (const [i, values] of (rows as Record<string, unknown>[]).entries()) {
          yield { list, number: from + i + 1, values, bytes: sizeOf(values) };
        }
      }
      start += group.rows;
    }
  } finally {
    await file.close();
  }
}

/** The footer's length stands before the last four bytes; the library takes it as it is. */
async function requireFooter(source: AsyncBuffer, path: string): Promise<void> {
  const tail = new Uint8Array(await source.slice(Math.max(0, source.byteLength - 8)));
  const length = tail.length === 8 ? new DataView(tail.buffer).getUint32(0, true) : Number.NaN;
  const isParquet = Buffer.from(tail.subarray(4)).toString("latin1") === "PAR1";
  if (isParquet && length <= limits.footer && length <= source.byteLength - 12) return;
  const what = isParquet ? `has a footer of ${length} bytes` : "does not end as a Parquet file does";
  throw invalidData(path, `${what}: it is damaged or cut off`, damagedHint);
}

const sizeOf = (values: Record<string, unknown>): number =>
  Object.values(values).reduce<number>(
    (sum, value) => sum + 2 * (typeof value === "string" ? value.length : 8),
    100,
  );
