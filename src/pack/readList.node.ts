/** Reads a list of training data, whatever its form: Parquet, zip, JSON Lines, CSV. */
import { createReadStream } from "node:fs";
import { open } from "node:fs/promises";
import { csvRows } from "./csvRows.node.js";
import { invalidData, missingData } from "./dataErrors.js";
import { jsonRows } from "./jsonRows.js";
import { parquetRows } from "./parquetRows.node.js";
import type { AnyRow, ListForm } from "./rows.js";
import { zipRows } from "./zipRows.node.js";

export interface ReadListOptions {
  /** Which list it is, counted from 0. */
  readonly list: number;
  readonly form: ListForm;
  /** Which columns of a Parquet file are read. */
  readonly wanted: (columns: readonly string[]) => readonly string[];
}

export type ListKind = "parquet" | "zip" | "json" | "csv";

/**
 * By the first bytes: Parquet and zip have their marks, and a line of JSON begins with a brace.
 *
 * @throws OpenFlamingoError `data-missing`; `data-invalid` for an empty file, and for a list in JSON's own form
 */
export async function listKind(path: string): Promise<ListKind> {
  const start = await firstBytes(path);
  const mark = start.subarray(0, 4).toString("latin1");
  if (mark === "PAR1") return "parquet";
  if (mark === "PK\x03\x04" || mark === "PK\x05\x06") return "zip";
  const text = start
    .toString("utf8")
    .replace(/^\ufeff/, "")
    .trimStart();
  if (text === "") throw invalidData(path, "holds nothing", "A list has a row for each sample.");
  if (/^\[\s*[{[\]"]/.test(text)) {
    throw invalidData(path, "is one JSON list", "Write an object a line (JSON Lines): jq -c '.[]' does it.");
  }
  return text.startsWith("{") ? "json" : "csv";
}

/** @throws OpenFlamingoError `data-missing`, `data-invalid` */
export async function* readList(path: string, options: ReadListOptions): AsyncGenerator<AnyRow, void> {
  const { list, form, wanted } = options;
  const kind = await listKind(path);
  if (kind === "parquet") yield* parquetRows(path, { list, wanted });
  else if (kind === "zip") yield* zipRows(path, list);
  else if (kind === "json") yield* jsonRows(bytesOf(path), list);
  else yield* csvRows(bytesOf(path), { list, name: path, form });
}

async function firstBytes(path: string): Promise<Buffer> {
  const file = await open(path).catch((error: unknown) => {
    throw missingData(path, error);
  });
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(1024), 0, 1024, 0).catch((error: unknown) => {
      throw missingData(path, error);
    });
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

async function* bytesOf(path: string): AsyncGenerator<Uint8Array, void> {
  const stream = createReadStream(path, { highWaterMark: 2 ** 20 });
  try {
    for await (const chunk of stream) yield chunk as Uint8Array;
  } catch (error) {
    throw missingData(path, error);
  } finally {
    stream.destroy();
  }
}
