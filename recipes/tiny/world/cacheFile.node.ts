/**
 * A file of rows of bytes that took long to make: it says what made it, and is made again where that differs.
 *
 * The form: a magic word, the length of the header, the header in JSON, then the rows. Whoever opens it while another
 * process makes it sees the old file or the new one, never a part.
 */
import { mkdir, readFile } from "node:fs/promises";
import { dirname } from "node:path";
import { writeWhole } from "../../../src/base/wholeFile.node.js";

const magic = "ofcache1";
const prefixBytes = magic.length + 4;

export interface CacheFile {
  readonly path: string;
  /** What the content depends on. A file that says anything else is made again. */
  readonly madeOf: Readonly<Record<string, unknown>>;
  readonly rows: number;
  readonly rowBytes: number;
  /** Makes row after row. */
  readonly make: () => AsyncIterable<Uint8Array>;
  /** Called while it is made, with rows. */
  readonly progress?: ((done: number, total: number) => void) | undefined;
}

/** All rows in one piece: from the file, where it is there and made of the same, else made and written. */
export async function openCacheFile(wanted: CacheFile): Promise<Uint8Array> {
  const { path, rows, rowBytes, madeOf } = wanted;
  const header = Buffer.from(JSON.stringify({ madeOf, rows, rowBytes }));
  const prefix = Buffer.alloc(prefixBytes);
  prefix.write(magic, 0, "latin1");
  prefix.writeUInt32LE(header.length, magic.length);
  const start = Buffer.concat([prefix, header]);

  const found = await readFile(path).catch(() => undefined);
  const isSame =
    found?.length === start.length + rows * rowBytes && found.subarray(0, start.length).equals(start);
  if (isSame) return new Uint8Array(found.buffer, found.byteOffset + start.length, rows * rowBytes);

  const made = await makeRows(wanted);
  await mkdir(dirname(path), { recursive: true });
  await writeWhole(path, async (file) => {
    await file.writeFile(start);
    await file.writeFile(made);
  });
  return made;
}

async function makeRows({ path, rows, rowBytes, make, progress }: CacheFile): Promise<Uint8Array> {
  const all = new Uint8Array(rows * rowBytes);
  let done = 0;
  for await (const row of make()) {
    if (row.length !== rowBytes || done === rows)
      throw new Error(`${path}: row ${done} of ${rows} has ${row.length} bytes, not ${rowBytes}`);
    all.set(row, rowBytes * done);
    done++;
    progress?.(done, rows);
  }
  if (done !== rows) throw new Error(`${path}: ${done} rows were made, not ${rows}`);
  return all;
}
