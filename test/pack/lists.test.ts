/** Lists of training data: every form that is read, and what is wrong with one that is not. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { deflateRawSync } from "node:zlib";
import { afterAll, describe, expect, test } from "vitest";
import type { OpenFlamingoError } from "../../src/base/errors.js";
import { textsOf } from "../../src/pack/columns.js";
import { jsonRows } from "../../src/pack/jsonRows.js";
import { linesOf } from "../../src/pack/lines.js";
import { textRows } from "../../src/pack/pack.node.js";
import { readList } from "../../src/pack/readList.node.js";
import type { AnyRow, ListForm } from "../../src/pack/rows.js";
import { zip } from "../checkpoints/assemble.js";

const folder = mkdtempSync(join(tmpdir(), "lists-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let count = 0;
function fileOf(content: string | Buffer, name = "list.csv"): string {
  const path = join(folder, `${count++}-${name}`);
  writeFileSync(path, content);
  return path;
}

async function all<T>(rows: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const row of rows) found.push(row);
  return found;
}

const read = (path: string, form: ListForm = {}) =>
  all(readList(path, { list: 0, form, wanted: (columns) => columns }));

/** What rows hold, or what is wrong with them. */
const valuesOf = (rows: readonly AnyRow[]) => rows.map((row) => ("fault" in row ? row.fault : row.values));

const failureOf = (work: Promise<unknown>): Promise<OpenFlamingoError> =>
  work.then(
    (found) => {
      throw new Error(`no failure: ${JSON.stringify(found)}`);
    },
    (error: OpenFlamingoError) => error,
  );

describe("CSV", () => {
  test("quotes, line breaks in fields, CRLF, a byte order mark and empty lines", async () => {
    const rows = await read(
      fileOf('\ufeffimage,caption\r\na.jpg,"one, ""two""\r\nthree"\r\n\r\nb.jpg,ünï\r\n'),
    );
    expect(valuesOf(rows)).toEqual([
      { image: "a.jpg", caption: 'one, "two"\r\nthree' },
      { image: "b.jpg", caption: "ünï" },
    ]);
    expect(rows.map(({ number }) => number)).toEqual([1, 2]);
  });

  test.each([
    [";", "a;b\n1;2,3\n", "list.csv"],
    ["\t", "a\tb\n1\t2,3\n", "list.csv"],
    ["\t", "a\tb\n1\t2,3\n", "list.tsv"],
    ["|", "a|b\n1|2,3\n", "list.csv"],
  ])("the delimiter %j is found", async (_, content, name) => {
    expect(valuesOf(await read(fileOf(content, name)))).toEqual([{ a: "1", b: "2,3" }]);
  });

  test("a delimiter that is given counts, and quoted ones in the first line do not", async () => {
    expect(valuesOf(await read(fileOf("a;b,c\n1;2,3\n"), { delimiter: ";" }))).toEqual([
      { a: "1", "b,c": "2,3" },
    ]);
    expect(valuesOf(await read(fileOf('"a,b,c";d\n1;2\n')))).toEqual([{ "a,b,c": "1", d: "2" }]);
  });

  test("without names, columns are numbers", async () => {
    expect(valuesOf(await read(fileOf("x,y\n1,2\n"), { header: false }))).toEqual([
      { "1": "x", "2": "y" },
      { "1": "1", "2": "2" },
    ]);
  });

  test("a row with other columns or bytes that are not UTF-8 costs itself alone", async () => {
    const bytes = Buffer.from("a,b\n1,2,3\n1\n1,\xff\xfe\n\0,2\n5,6\n", "latin1");
    expect(valuesOf(await read(fileOf(bytes)))).toEqual([
      "wrong-columns",
      "wrong-columns",
      "not-utf8",
      { a: "\0", b: "2" },
      { a: "5", b: "6" },
    ]);
  });

  test("a column called __proto__ is a column", async () => {
    const [row] = await read(fileOf("__proto__,b\nx,y\n"));
    expect(Object.entries((row as { values: object }).values)).toEqual([
      ["__proto__", "x"],
      ["b", "y"],
    ]);
  });

  test.each([
    ["a quote is not closed", 'a,b\n1,"2\n3,4\n'],
    ["a quote stands within a field", 'a,b\n1,x"y\n'],
    ["something follows a closing quote", 'a,b\n1,"x"y\n'],
    ["a row has more than 1,048,576 bytes", `a,b\n1,${"x".repeat(2 ** 20 + 10)}\n`],
    ["has two columns of the name", "a,a\n1,2\n"],
    ["names of columns that are not UTF-8", Buffer.from("a,\xff\n1,2\n", "latin1")],
    ["has 1001 columns", `${Array.from({ length: 1001 }, (_, i) => i).join(",")}\n`],
    ["is UTF-16", Buffer.from("\ufeffa,b\n1,2\n", "utf16le")],
    ["holds nothing", ""],
    ["holds nothing", "\ufeff \n"],
    ["is one JSON list", '[{"a": 1}]'],
  ])("%s: the list is rejected", async (what, content) => {
    const error = await failureOf(read(fileOf(content)));
    expect(error.code).toBe("data-invalid");
    expect(error.message).toContain(what);
    expect(error.message.length).toBeLessThan(400);
  });

  test("a list that is not there, or a folder, is named", async () => {
    const missing = await failureOf(read(join(folder, "none.csv")));
    expect([missing.code, missing.message]).toEqual([
      "data-missing",
      `${join(folder, "none.csv")}: there is no such file`,
    ]);
    expect((await failureOf(read(folder))).message).toContain("is a folder, and a file is wanted");
  });
});

describe("JSON Lines", () => {
  test("objects, blank lines, CRLF, a byte order mark; other lines cost themselves alone", async () => {
    const lines = [
      '\ufeff{"a": 1}\r',
      "",
      '{"a": ',
      "[1]",
      '{"a": 1, "a": 2}',
      '{"a": "\xff"}',
      `{"a": ${"[".repeat(200)}${"]".repeat(200)}}`,
      '{"a": "end"}',
    ];
    const content = Buffer.concat(
      lines.map((line) => Buffer.from(`${line}\n`, line.includes("\xff") ? "latin1" : "utf8")),
    );
    expect(valuesOf(await read(fileOf(content, "list.jsonl")))).toEqual([
      { a: 1 },
      "not-json",
      "not-json",
      "not-json",
      "not-utf8",
      "not-json",
      { a: "end" },
    ]);
  });

  test("a line beyond the limit takes no memory and costs itself alone", async () => {
    async function* chunks() {
      for (const part of ['{"a": 1}\n{"a": "', "x".repeat(50), "x".repeat(50), '"}\n{"b"', ": 2}"]) {
        yield Buffer.from(part);
      }
    }
    expect(valuesOf(await all(jsonRows(chunks(), 0, 60)))).toEqual([{ a: 1 }, "too-long", { b: 2 }]);
  });

  test("lines are cut alike however the bytes come", async () => {
    const text = Buffer.from("one\ntwo\n\nthree\r\nlast");
    for (let size = 1; size <= text.length; size++) {
      async function* chunks() {
        for (let at = 0; at < text.length; at += size) yield text.subarray(at, at + size);
      }
      const lines = await all(linesOf(chunks(), 100));
      expect(lines.map((line) => Buffer.from(line!).toString())).toEqual([
        "one",
        "two",
        "",
        "three\r",
        "last",
      ]);
    }
  });
});

describe("columns", () => {
  const captions = async (content: string, names = {}) =>
    all(textRows([fileOf(content)], ["image", "caption"], names, {}));

  test("are found by usual names, in any case, or by the user's", async () => {
    const [first] = await captions("File_Name,TEXT\na.jpg,x\n");
    expect(first).toMatchObject({ texts: { image: "a.jpg", caption: "x" } });
    const [second] = await captions("caption,b,image\nno,yes,a.jpg\n", { caption: "b" });
    expect(second).toMatchObject({ texts: { image: "a.jpg", caption: "yes" } });
  });

  test("that are missing are named, with those that are there and how to name them", async () => {
    const error = await failureOf(captions("x,y\n1,2\n", { caption: "z" }));
    expect(error.code).toBe("data-invalid");
    expect(error.message).toMatch(
      /has no column for image and caption \("z"\); its columns are \["x","y"\]$/,
    );
    expect(error.hint).toContain("--image-column and --caption-column");
  });

  test("a row without a text in one of them costs itself alone", async () => {
    const lines = [
      '{"image": "a", "caption": 7}',
      '{"image": "b"}',
      '{"image": [], "caption": "x"}',
      '{"image": "c", "caption": " "}',
    ];
    const rows = await all(textRows([fileOf(lines.join("\n"), "a.jsonl")], ["image", "caption"], {}, {}));
    expect(rows.map((row) => ("fault" in row ? row.fault : row.texts))).toEqual([
      { image: "a", caption: "7" },
      "no-caption",
      "no-image",
      "no-caption",
    ]);
  });

  test("a text of more than 100,000 characters is none", async () => {
    async function* rows(): AsyncGenerator<AnyRow> {
      yield { list: 0, number: 1, bytes: 1, values: { caption: "x".repeat(100_001) } };
    }
    const found = await all(textsOf(rows(), { roles: ["caption"], names: {}, file: "f" }));
    expect(found).toMatchObject([{ fault: "too-long" }]);
  });
});

describe("Parquet, as pyarrow writes it", () => {
  const file = (name: string) => fileURLToPath(new URL(`parquet/${name}.parquet`, import.meta.url));

  test.each(["none", "snappy", "gzip", "zstd", "brotli", "lz4"])("compressed by %s", async (codec) => {
    const rows = await all(textRows([file(codec)], ["url", "caption"], {}, {}));
    expect(rows.map(({ number }) => number)).toEqual([1, 2, 3, 4, 5, 6, 7]);
    expect(rows.map((row) => ("fault" in row ? row.fault : row.texts.caption))).toEqual([
      ...["a cat", "zwölf Boxkämpfer", "no-caption", "猫", "a cat", "no-caption", "x".repeat(300)],
    ]);
    expect(rows[3]).toMatchObject({ texts: { url: "https://example.org/3.jpg" } });
  });

  test("without the column that is wanted", async () => {
    const error = await failureOf(all(textRows([file("no-text")], ["url", "caption"], {}, {})));
    expect(error.message).toContain(
      'has no column for caption; its columns are ["SAMPLE_ID","URL","key","similarity"]',
    );
  });

  const whole = readFileSync(file("snappy"));
  test.each([
    ["cut off", whole.subarray(0, whole.length - 20)],
    [
      "with a footer beyond the file",
      Buffer.concat([whole.subarray(0, -8), Buffer.from([0xff, 0xff, 0xff, 0x0f]), whole.subarray(-4)]),
    ],
    [
      "with zeros for its pages",
      Buffer.concat([whole.subarray(0, 4), Buffer.alloc(1500), whole.subarray(1504)]),
    ],
    [
      "with zeros for its footer",
      Buffer.concat([whole.subarray(0, -1000), Buffer.alloc(992), whole.subarray(-8)]),
    ],
    ["of nothing but its mark", Buffer.from("PAR1")],
  ])("%s it is rejected", async (_, content) => {
    const error = await failureOf(read(fileOf(content, "x.parquet")));
    expect(error.code).toBe("data-invalid");
    expect(error.message).toMatch(/damaged/);
  });

  test("a small file with a page beyond the limit is rejected before memory is taken", async () => {
    // A text of 300 MB in less than 2 kB.
    const before = process.memoryUsage().arrayBuffers;
    const error = await failureOf(read(file("bomb")));
    expect([error.code, error.message]).toEqual(["data-invalid", expect.stringContaining("or damaged")]);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(2 ** 26);
  });

  test("four bytes changed anywhere: rows or a rejection, and no more memory than the limits", async () => {
    let rejected = 0;
    const places = [
      ...Array.from({ length: 400 }, (_, i) => 4 + i),
      ...Array.from({ length: 300 }, (_, i) => whole.length - 9 - 5 * i),
    ];
    for (const at of places) {
      const changed = Buffer.from(whole);
      changed.fill(0xff, at, at + 4);
      const before = process.memoryUsage().arrayBuffers;
      await read(fileOf(changed, "y.parquet")).catch((error: OpenFlamingoError) => {
        expect(error.code).toBe("data-invalid");
        rejected++;
      });
      expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(2 ** 28);
    }
    expect(rejected).toBeGreaterThan(0);
  });
});

describe("zip archives of JSON Lines", () => {
  const lines = '{"a": 1}\n{"a": 2}\n';
  const packed = deflateRawSync(lines).toString("latin1");
  const zipFile = (content: string) => fileOf(Buffer.from(content, "latin1"), "x.zip");

  test("all members of JSON Lines are read, in their order", async () => {
    const content = zip([
      { name: "readme.txt", data: "no" },
      { name: "a.jsonl", data: lines },
      {
        name: "b/c.json",
        data: packed,
        method: 8,
        local: { size: packed.length },
        central: { size: lines.length, packed: packed.length },
      },
    ]);
    const rows = await read(zipFile(content));
    expect(rows.map((row) => [row.number, valuesOf([row])[0]])).toEqual([
      [1, { a: 1 }],
      [2, { a: 2 }],
      [3, { a: 1 }],
      [4, { a: 2 }],
    ]);
  });

  const good = zip([{ name: "a.jsonl", data: lines }]);
  const oversized = { name: "a.jsonl", data: packed, method: 8, local: { size: packed.length } };
  test.each([
    ["cut off", good.slice(0, -30), /damaged or cut off/],
    ["cut off within its directory", good.slice(0, -60), /damaged or cut off/],
    ["without a member of JSON Lines", zip([{ name: "a.txt", data: lines }]), /has no member of JSON Lines/],
    [
      "that holds more than it says",
      zip([{ ...oversized, central: { size: 5, packed: packed.length } }]),
      /damaged or cut off/,
    ],
    [
      "that holds less than it says",
      zip([{ ...oversized, central: { size: 500, packed: packed.length } }]),
      /damaged or cut off/,
    ],
    [
      "with a member beyond the limit",
      zip([{ ...oversized, central: { size: 20 * 2 ** 30, packed: packed.length } }], { zip64: true }),
      /has a member of 21,474,836,480 bytes/,
    ],
    [
      "with more members than the limit",
      zip([{ name: "a.jsonl", data: lines }], { end: { count: 20_000 } }),
      /has 20000 members/,
    ],
    [
      "with damaged bytes",
      zip([
        {
          ...oversized,
          data: packed.replace(/^../s, "\xff\xff"),
          central: { size: lines.length, packed: packed.length },
        },
      ]),
      /damaged or cut off/,
    ],
    ["that is encrypted", zip([{ name: "a.jsonl", data: lines, flags: 1 }]), /damaged or cut off/],
  ])("one %s is rejected", async (_, content, what) => {
    const error = await failureOf(read(zipFile(content)));
    expect(error.code).toBe("data-invalid");
    expect(error.message).toMatch(what);
  });
});
