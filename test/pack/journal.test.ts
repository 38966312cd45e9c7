/** The journal of long work: what a kill at any byte leaves of it, and whose it is. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import type { JsonObject } from "../../src/base/json.js";
import { openJournal } from "../../src/pack/journal.node.js";

const folder = mkdtempSync(join(tmpdir(), "journal-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const path = join(folder, "work.jsonl");

async function entriesOf(head: JsonObject, ...more: readonly JsonObject[]): Promise<readonly JsonObject[]> {
  const found: JsonObject[] = [];
  const journal = await openJournal(path, head, (entry) => found.push(entry));
  await Promise.all(more.map((entry) => journal.append(entry)));
  await journal.close();
  return found;
}

test("cut off at any byte, it holds the entries that are whole, and goes on after them", async () => {
  const entries = [{ a: 1 }, { a: "ü" }, { a: [3] }];
  expect(await entriesOf({ work: 1 }, ...entries)).toEqual([]);
  const whole = readFileSync(path);
  const ends = [...whole.keys()].filter((at) => whole[at] === 10);
  for (let length = 0; length <= whole.length; length++) {
    writeFileSync(path, whole.subarray(0, length));
    const kept = Math.max(0, ends.filter((end) => end < length).length - 1);
    expect(await entriesOf({ work: 1 }, { a: "more" })).toEqual(entries.slice(0, kept));
    expect(await entriesOf({ work: 1 })).toEqual([...entries.slice(0, kept), { a: "more" }]);
  }
});

test("what follows a damaged line does not count", async () => {
  writeFileSync(path, '{"work":1}\n{"a":1}\n{"a":\0}\n{"a":3}\n');
  expect(await entriesOf({ work: 1 })).toEqual([{ a: 1 }]);
  expect(readFileSync(path, "utf8")).toBe('{"work":1}\n{"a":1}\n');
});

test("one of other work is rejected, unless nothing of it is done", async () => {
  writeFileSync(path, '{"work":1}\n{"a":1}\n');
  await expect(entriesOf({ work: 2 })).rejects.toMatchObject({
    code: "usage",
    message: `${path}: was begun from other lists, or with other options`,
  });
  writeFileSync(path, '{"work":1}\n');
  expect(await entriesOf({ work: 2 })).toEqual([]);
  expect(readFileSync(path, "utf8")).toBe('{"work":2}\n');
});
