import { expect, test } from "vitest";
import type { ErrorCode } from "../../../src/base/errors.js";
import { defaultLimits } from "../../../src/checkpoints/limits.js";
import { crc32, readEntry, readZip } from "../../../src/checkpoints/torch/zip.js";
import { bytes, type Entry, expectError, memoryFile, zip } from "../fixtures.js";

const list = (content: string) => readZip(memoryFile(content, "archive"));

async function readAll(content: string): Promise<Record<string, string>> {
  const source = memoryFile(content, "archive");
  const found: Record<string, string> = {};
  for (const [name, entry] of await readZip(source)) {
    found[name] = Buffer.from(await readEntry(source, entry, 1000)).toString("latin1");
  }
  return found;
}

const a: Entry = { name: "m/a", data: "first" };
const b: Entry = { name: "m/b", data: "second" };
const late = { flags: 0x0808, local: { crc: 0, size: 0 } };

test("entries are found by name, with and without zip64 fields, and before a comment", async () => {
  const expected = { "m/a": "first", "m/b": "second" };
  expect(await readAll(zip([a, b]))).toEqual(expected);
  expect(await readAll(zip([a, b], { zip64: true }))).toEqual(expected);
  expect(await readAll(zip([a, b], { comment: "made by hand PK\x05\x06" }))).toEqual(expected);
  expect(await readAll(zip([]))).toEqual({});
  const other = { extra: (field: string) => `\x55\x54\x02\x00ab${field}` };
  expect(await readAll(zip([{ ...a, central: other }, b], { zip64: true }))).toEqual(expected);
});

test("sizes that follow the data, as torch writes them, are taken from the directory", async () => {
  expect(await readAll(zip([{ ...a, ...late }, b]))).toEqual({ "m/a": "first", "m/b": "second" });
});

test("the sum of a known text is right", () => {
  expect(crc32(bytes("123456789"))).toBe(0xcbf43926);
});

const whole = zip([a, b]);
const lastHeader = whole.lastIndexOf("PK\x01\x02");
const replaced = (at: number, bytes: string) => whole.slice(0, at) + bytes + whole.slice(at + bytes.length);
const broken: [what: string, content: string, message: string, code?: ErrorCode][] = [
  ["an archive cut in its data", whole.slice(0, 20), "end record is missing"],
  ["an archive cut in its directory", whole.slice(0, -40), "end record is missing"],
  ["an archive cut in its end record", whole.slice(0, -1), "end record is missing"],
  ["a cut zip64 archive", zip([a, b], { zip64: true }).slice(0, -30), "end record is missing"],
  ["bytes after the end", `${whole}!`, "end record is missing"],
  ["bytes before the start", `!${whole}`, "does not end at its end record"],
  ["a comment length that lies", zip([a], { end: { comment: 7 } }), "end record is missing"],
  ["a wrong count", zip([a, b], { end: { count: 3 } }), "holds 2 entries, its end record says 3"],
  ["a directory elsewhere", zip([a], { end: { start: 0 } }), "does not end at its end record"],
  ["a directory size that lies", zip([a], { end: { size: 1 } }), "does not end at its end record"],
  ["a zip64 count that lies", zip([a], { zip64: true, wideEnd: { count: 9 } }), "two end records disagree"],
  ["a zip64 locator that lies", zip([a], { zip64: true, wideEnd: { at: 5 } }), "not where its locator says"],
  [
    "a zip64 directory beyond the file",
    zip([a], { zip64: true, end: { start: 0xffffffff }, wideEnd: { start: 2 ** 60 } }),
    "does not end at its end record",
  ],
  [
    "a directory of ten bytes",
    `${"x".repeat(10)}${zip([], { end: { count: 1, size: 10, start: 0 } })}`,
    "has no entry",
  ],
  ["a directory with something else in it", replaced(lastHeader, "PK\x01\x03"), "has no entry at byte"],
  [
    "a name longer than the directory",
    replaced(lastHeader + 28, "\xff\xff"),
    "ends inside the entry at byte",
  ],
  [
    "a zip64 field for the packed size that is missing",
    zip([{ ...a, central: { packed: 0xffffffff } }]),
    "not there",
  ],
  [
    "a zip64 field for the offset that is missing",
    zip([{ ...a, central: { offset: 0xffffffff } }]),
    "not there",
  ],
  [
    "a zip64 field longer than its place",
    zip([{ ...a, central: { extra: (field) => field.replace("\x18", "\x19") } }], { zip64: true }),
    "not there",
  ],
  [
    "a zip64 field of another kind",
    zip([{ ...a, central: { extra: (field) => field.replace("\x01", "\x02") } }], { zip64: true }),
    "not there",
  ],
  [
    "a zip64 field that is missing",
    zip([{ ...a, central: { size: 0xffffffff } }]),
    "zip64 field that is not there",
  ],
  ["a name twice", zip([a, { ...b, name: "m/a" }]), 'holds "m/a" twice'],
  ["a name that is not UTF-8", zip([{ ...a, name: "\xff" }]), "a name that is not UTF-8"],
  ["another name in the local header", zip([{ ...a, local: { name: "m/x" } }]), '"m/a" is not at byte 0'],
  [
    "another name's length in the local header",
    zip([{ ...a, local: { name: "m/aa" } }]),
    '"m/a" is not at byte 0',
  ],
  ["another CRC in the local header", zip([{ ...a, local: { crc: 1 } }]), '"m/a" says CRC and sizes ['],
  ["another size in the local header", zip([{ ...a, local: { size: 1 } }]), '"m/a" says CRC and sizes ['],
  ["other flags in the local header", zip([{ ...a, local: { flags: 1 } }]), '"m/a" is not at byte 0'],
  [
    "a local header where there is none",
    zip([a, { ...b, central: { offset: 9 } }]),
    '"m/b" overlaps the entry before',
  ],
  ["two entries in one place", zip([a, { ...b, central: { offset: 0 } }]), "overlaps the entry before"],
  [
    "an entry that reaches into the next",
    zip([{ ...a, ...late, central: { size: 30 } }, b]),
    '"m/b" overlaps',
  ],
  [
    "an entry that reaches into the next by one byte",
    zip([{ ...a, ...late, central: { size: 6 } }, b]),
    '"m/b" overlaps',
  ],
  [
    "an entry that reaches into the directory",
    zip([{ ...a, ...late, central: { size: 30 } }]),
    "into the directory",
  ],
  [
    "a stored entry of two sizes",
    zip([{ ...a, central: { packed: 4 } }]),
    '"m/a" as it is, and yet 5 bytes in 4',
  ],
  ["a wrong CRC", zip([{ ...a, central: { crc: 1 }, local: { crc: 1 } }]), '"m/a" does not have the CRC'],
  ["a compressed entry", zip([{ ...a, method: 8 }]), '"m/a" is compressed (method 8)', "checkpoint-rejected"],
  ["an encrypted entry", zip([{ ...a, flags: 1 }]), '"m/a" is encrypted', "checkpoint-rejected"],
  ["a strongly encrypted entry", zip([{ ...a, flags: 0x40 }]), '"m/a" is encrypted', "checkpoint-rejected"],
];
for (const [what, content, message, code = "checkpoint-damaged"] of broken) {
  test(`${what}: rejected with a specific error`, async () => {
    await expectError(() => readAll(content), code, "archive: ", message);
  });
}

test("an offset beyond the file is rejected, whatever the file says of it", async () => {
  // The local header of the second entry would lie behind the end.
  await expectError(() => list(zip([a, { ...b, central: { offset: 5000 } }])), "checkpoint-damaged", '"m/b"');
});

test("a directory or an entry above the limit is not read", async () => {
  const source = memoryFile(whole, "archive");
  const limits = { ...defaultLimits, directoryBytes: 10 };
  await expectError(() => readZip(source, { limits }), "checkpoint-damaged", "at most 10 are read");
  const entry = (await readZip(source)).get("m/a")!;
  await expectError(
    () => readEntry(source, entry, 4),
    "checkpoint-damaged",
    '"m/a" takes 5 bytes; at most 4',
  );
});
