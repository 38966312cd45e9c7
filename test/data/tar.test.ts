/** Tar archives: what is whole is read, what is not is an error after it. */
import { gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import type { OpenFlamingoError } from "../../src/base/errors.js";
import { groupSamples, sampleName } from "../../src/data/samples.js";
import { readTar, type TarOptions } from "../../src/data/tar.node.js";
import { tar, tarEnd, tarFile } from "./makeTar.js";

/** Bytes in pieces of a size. */
async function* pieces(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array, void> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

/** What is read of an archive, and the error behind it. */
async function read(
  bytes: Uint8Array,
  { size = 1000, ...options }: Partial<TarOptions> & { size?: number } = {},
) {
  const members: [string, string | undefined][] = [];
  try {
    for await (const { name, data } of readTar(pieces(bytes, size), { name: "s.tar", ...options })) {
      members.push([name, data && Buffer.from(data).toString()]);
    }
  } catch (error) {
    return { members, error: error as OpenFlamingoError };
  }
  return { members, error: undefined };
}

const files = [
  { name: "a.txt", data: "first" },
  { name: "b.txt", data: "x".repeat(1500) },
  { name: "c.txt", data: "" },
  { name: "d.txt", data: "last" },
];
const whole = tar(files);
const contents = files.map(({ name, data }) => [name, data]);

test("files come as they are, in pieces of any size, packed or not", async () => {
  for (const size of [1, 511, 512, 513, 100_000]) {
    expect(await read(whole, { size })).toEqual({ members: contents, error: undefined });
    expect(await read(gzipSync(whole), { size })).toEqual({ members: contents, error: undefined });
  }
});

test("folders, links and devices are no files", async () => {
  const others = ["1", "2", "5"].map((type) => ({ name: `other${type}`, data: "", type }));
  const { members } = await read(tar([{ name: "folder/", data: "", type: "5" }, others[2]!, files[0]!]));
  expect(members).toEqual([contents[0]]);
});

test("an archive that is cut anywhere gives all whole files, then an error that names it", async () => {
  const ends = files.map((_, i) => Buffer.concat(files.slice(0, i + 1).map(tarFile)).length);
  for (let at = 0; at < whole.length - 512; at += 97) {
    const { members, error } = await read(whole.subarray(0, at));
    // The last block of a file is there, or it is not.
    const count = ends.filter((end) => end <= at).length;
    expect([at, members]).toEqual([at, contents.slice(0, count)]);
    expect(error?.code).toBe("data-invalid");
    expect(error?.message).toMatch(/^s\.tar: is damaged as a tar archive, after [\d,]+ bytes: /);
  }
});

test("a wrong byte in a header is an error after the files before it", async () => {
  const damaged = Buffer.from(whole);
  damaged[tarFile(files[0]!).length + tarFile(files[1]!).length + 3]! ^= 1;
  const { members, error } = await read(damaged);
  expect(members).toEqual(contents.slice(0, 2));
  expect(error?.message).toMatch(/header of a file is wrong/);
});

test("gzip that is cut off or wrong is an error after the files before it", async () => {
  const packed = gzipSync(tar([files[0]!, { name: "noise", data: noise(200_000) }, files[3]!]));
  const cut = await read(packed.subarray(0, 100_000));
  expect(cut.members).toEqual([contents[0]]);
  expect(cut.error?.message).toMatch(/gzip data are wrong or cut off/);
  const wrong = Buffer.from(packed);
  wrong[50_000]! ^= 255;
  expect((await read(wrong)).error?.code).toBe("data-invalid");
});

/** Bytes that do not get smaller, the same each time. */
function noise(length: number): Uint8Array {
  let value = 1;
  return Uint8Array.from({ length }, () => {
    value = (Math.imul(value, 1103515245) + 12345) >>> 0;
    return value >>> 24;
  });
}

test("what is no archive is damaged", async () => {
  for (const bytes of [
    Buffer.from("<html>not found</html>"),
    Buffer.alloc(5000, 65),
    Buffer.alloc(0),
    Buffer.alloc(1),
  ]) {
    const { members, error } = await read(bytes);
    expect(members).toEqual([]);
    expect(error?.code).toBe("data-invalid");
  }
});

test("a file beyond the limit comes without its content, one at the limit with it", async () => {
  const { members, error } = await read(whole, { maxMemberBytes: 1499 });
  expect(members).toEqual([contents[0], ["b.txt", undefined], contents[2], contents[3]]);
  expect(error).toBeUndefined();
  expect((await read(whole, { maxMemberBytes: 1500 })).members).toEqual(contents);
});

test("a header that promises more than there can be takes no memory", async () => {
  const header = tarFile({ name: "huge.txt", data: "" });
  header.write("77777777777\0", 124);
  header.write("        ", 148);
  const sum = header.reduce((all, byte) => all + byte, 0);
  header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  const { members, error } = await read(Buffer.concat([tarFile(files[0]!), header, Buffer.alloc(3000)]));
  expect(members).toEqual([contents[0]]);
  expect(error?.code).toBe("data-invalid");
});

test("an archive that unpacks to more than the limit is cut there", async () => {
  const { error } = await read(gzipSync(whole), { maxBytes: 1000 });
  expect(error?.message).toMatch(/unpacks to more than 1,000 bytes/);
  expect((await read(whole, { maxBytes: whole.length })).error).toBeUndefined();
});

test("what follows the mark of the end is not read", async () => {
  expect(await read(Buffer.concat([whole, tarEnd, Buffer.from("x".repeat(3000))]))).toEqual({
    members: contents,
    error: undefined,
  });
});

test("an error of the source comes through as it is", async () => {
  const failing = async function* () {
    yield whole.subarray(0, 700);
    throw new RangeError("the source");
  };
  const readAll = async (packed: boolean) => {
    const source = packed
      ? (async function* () {
          yield gzipSync(whole).subarray(0, 20);
          throw new RangeError("the source");
        })()
      : failing();
    for await (const _ of readTar(source, { name: "s.tar" }));
  };
  await expect(readAll(false)).rejects.toThrow(RangeError);
  await expect(readAll(true)).rejects.toThrow(RangeError);
});

test("a reader that stops early closes the source", async () => {
  for (const bytes of [whole, gzipSync(whole)]) {
    let isClosed = false;
    const source = (async function* () {
      try {
        yield* pieces(bytes, 64);
      } finally {
        isClosed = true;
      }
    })();
    for await (const _ of readTar(source, { name: "s.tar" })) break;
    await new Promise((resolve) => setTimeout(resolve));
    expect(isClosed).toBe(true);
  }
});

test("a name is cut at the first full stop of the file, and its extension is in lower case", () => {
  expect(sampleName("a/b.c/000.seg.JPG")).toEqual({ key: "a/b.c/000", field: "seg.jpg" });
  expect(sampleName("000.txt")).toEqual({ key: "000", field: "txt" });
  for (const name of ["noext", ".hidden.jpg", "a/.hidden", "__meta.json__", "a.b/c"])
    expect(sampleName(name)).toBeUndefined();
  expect(sampleName("folder/__meta.json__")).toEqual({ key: "folder/__meta", field: "json__" });
});

test("the sample before damage is given, and then the error", async () => {
  const bytes = tar([
    { name: "1.txt", data: "a" },
    { name: "1.jpg", data: "b" },
    { name: "2.txt", data: "c" },
    { name: "2.jpg", data: "x".repeat(2000) },
  ]);
  const keys: string[] = [];
  const all = async () => {
    const members = readTar(pieces(bytes.subarray(0, 3500), 512), { name: "s.tar" });
    for await (const { key, fields } of groupSamples(members)) keys.push(`${key} ${[...fields.keys()]}`);
  };
  await expect(all()).rejects.toMatchObject({ code: "data-invalid" });
  expect(keys).toEqual(["1 txt,jpg", "2 txt"]);
});
