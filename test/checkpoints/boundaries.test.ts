/** Every bound of the readers, at the last value that is allowed and at the first that is not. */
import { expect, test } from "vitest";
import { OpenFlamingoError } from "../../src/base/errors.js";
import { defaultLimits } from "../../src/checkpoints/limits.js";
import { openSafetensors } from "../../src/checkpoints/safetensors.js";
import { openTorchZip } from "../../src/checkpoints/torch/archive.js";
import { unpickle } from "../../src/checkpoints/torch/pickle.js";
import { readEntry, readZip } from "../../src/checkpoints/torch/zip.js";
import {
  bytes,
  dictionary,
  type Entry,
  float32,
  le,
  memoryFile,
  pickle,
  safetensors,
  type TensorFixture,
  tensor,
  torchFile,
  zip,
} from "./fixtures.js";

const a: Entry = { name: "m/a", data: "first" };
const b: Entry = { name: "m/b", data: "second" };
/** Sizes follow the data, so that only the directory has them. */
const late = { flags: 0x0808, local: { crc: 0, size: 0 } };
const alone = zip([a]);
const both = zip([a, b]);
const directoryOf = (archive: string) => archive.indexOf("PK\x01\x02");
const changed = (archive: string, at: number, to: string) =>
  archive.slice(0, at) + to + archive.slice(at + to.length);
/** A directory of `size` bytes for one entry, of which the end record tells. */
const directory = (content: string) =>
  content + zip([], { end: { count: 1, size: content.length, start: 0 } });
const open = (archive: string) => readZip(memoryFile(archive, "archive"));

type Row = readonly [what: string, allowed: (() => unknown) | undefined, beyond: () => unknown, says: string];

const archives: readonly Row[] = [
  [
    "an entry that ends where the next begins, and one that ends a byte later",
    () => open(zip([{ ...a, ...late, central: { size: 5 } }, b])),
    () => open(zip([{ ...a, ...late, central: { size: 6 } }, b])),
    '"m/b" overlaps the entry before it',
  ],
  [
    "an entry that ends where the directory begins, and one that ends a byte later",
    () => open(zip([{ ...a, ...late, central: { size: 5 } }])),
    () => open(zip([{ ...a, ...late, central: { size: 6 } }])),
    '"m/a" of 6 bytes reaches into the directory',
  ],
  [
    "an empty entry whose header ends where the directory begins",
    () => open(zip([{ ...a, data: "" }])),
    () => open(zip([a, { ...b, central: { offset: directoryOf(both) - 32 } }])),
    '"m/b" should start at byte 45, which is in the directory or behind it',
  ],
  [
    "a header whose extra field ends a byte inside the directory",
    undefined,
    () => open(changed(alone, 28, le(6, 2))),
    '"m/a" has a header that reaches into the directory',
  ],
  [
    "a directory that ends a byte inside an entry's fixed part",
    undefined,
    () => open(directory(`PK\x01\x02${"\0".repeat(41)}`)),
    "directory has no entry at byte 0",
  ],
  [
    "a directory that ends a byte inside an entry's name",
    undefined,
    () => open(changed(both, both.lastIndexOf("PK\x01\x02") + 28, le(4, 2))),
    "directory ends inside the entry at byte",
  ],
  [
    "a directory of just the limit, and of a byte more",
    () => readZip(memoryFile(alone), { limits: { ...defaultLimits, directoryBytes: 49 } }),
    () => readZip(memoryFile(alone), { limits: { ...defaultLimits, directoryBytes: 48 } }),
    "directory takes 49 bytes; at most 48 are read",
  ],
  [
    "an entry of just the limit, and of a byte more",
    async () => readEntry(memoryFile(alone), (await open(alone)).get("m/a")!, 5),
    async () => readEntry(memoryFile(alone), (await open(alone)).get("m/a")!, 4),
    '"m/a" takes 5 bytes; at most 4 are read',
  ],
  [
    "an archive that is an end record alone, and 22 bytes that are none",
    () => open(zip([])),
    () => open("x".repeat(22)),
    "end record is missing",
  ],
  [
    "a zip64 archive without entries, and one whose end record is cut off",
    () => open(zip([], { zip64: true })),
    () => open(zip([], { zip64: true }).slice(1)),
    "directory of 0 bytes at byte 0 does not end at its end record",
  ],
  [
    "a storage of just its elements, and one that is an element too long",
    () => openTorchZip(memoryFile(torchFile(dictionary({ w: tensor(vector(2)) }), [float32(1, 2)]))),
    () => openTorchZip(memoryFile(torchFile(dictionary({ w: tensor(vector(2)) }), [float32(1, 2, 3)]))),
    "should hold 2 of float32, and is 12 bytes long",
  ],
  [
    "as many repeated elements as the limit, and one more",
    () => openTorchZip(memoryFile(repeated(6)), { limits: { ...defaultLimits, repeatedElements: 6 } }),
    () => openTorchZip(memoryFile(repeated(7)), { limits: { ...defaultLimits, repeatedElements: 6 } }),
    "makes 7 elements out of 1; at most 6 may repeat",
  ],
  [
    "a name of a module's tensor of just the limit, and of a letter more",
    () => openTorchZip(memoryFile(torchFile(script("x".repeat(300))))),
    () => openTorchZip(memoryFile(torchFile(script("x".repeat(301))))),
    "has a name of 301 characters",
  ],
];

function vector(size: number): TensorFixture {
  return { size, shape: [size], strides: [1] };
}
function repeated(count: number): string {
  return torchFile(dictionary({ w: tensor({ size: 1, shape: [count], strides: [0] }) }), [float32(1)]);
}
function script(attribute: string): string {
  return `c__torch__\nM\n)\x81${dictionary({ [attribute]: "N" })}b`;
}

const load = (body: string, limits: Partial<typeof defaultLimits> = {}) =>
  unpickle(bytes(pickle(body)), "data.pkl", { ...defaultLimits, ...limits });
const protocol = (version: number) => unpickle(bytes(`\x80${String.fromCharCode(version)}N.`), "data.pkl");
const name = (length: number) => `c__torch__\n${"x".repeat(length - "__torch__.".length)}\n`;
const ones = (count: number) => Array<number>(count).fill(1);

const pickles: readonly Row[] = [
  [
    "text up to the end, and a byte further",
    () => load(`X${le(0, 4)}`),
    () => load(`X${le(2, 4)}`),
    "asks for 2 bytes, 1 are left",
  ],
  [
    "a frame up to the end, and a byte further",
    () => load(`\x95${le(2, 8)}N`),
    () => load(`\x95${le(3, 8)}N`),
    "frame of 3 bytes, 2 are left",
  ],
  [
    "as many opcodes as the limit, and one more",
    () => load("N", { pickleSteps: 3 }),
    () => load("N", { pickleSteps: 2 }),
    "has more than 2 opcodes",
  ],
  [
    "values as deep as the limit, and one deeper",
    () => load("N\x85\x85\x85", { pickleDepth: 3 }),
    () => load("N\x85\x85\x85", { pickleDepth: 2 }),
    "nests values more than 2 deep",
  ],
  [
    "marks as deep as the limit, and one deeper",
    () => load("(((ttt", { pickleDepth: 3 }),
    () => load("(((ttt", { pickleDepth: 2 }),
    "nests marks more than 2 deep",
  ],
  [
    "a global's name of 1,000 letters, and of 1,001",
    () => load(name(1000)),
    () => load(name(1001)),
    "which no tensor needs",
  ],
  ["protocol 2, and 1", () => protocol(2), () => protocol(1), "is of protocol 1; 2 to 4 are read"],
  ["protocol 4, and 5", () => protocol(4), () => protocol(5), "is of protocol 5; 2 to 4 are read"],
  [
    "a tensor up to its storage's last element, and one further",
    () => load(tensor({ ...vector(3), size: 3 })),
    () => load(tensor({ ...vector(3), size: 2 })),
    "reaches element 2 of a storage of 2",
  ],
  [
    "an empty tensor at the end of its storage, and one of an element",
    () => load(tensor({ size: 3, offset: 3, shape: [3, 0], strides: [1, 1] })),
    () => load(tensor({ size: 3, offset: 3, shape: [1], strides: [1] })),
    "reaches element 3 of a storage of 3",
  ],
  [
    "rows that touch, and rows that share an element",
    () => load(tensor({ size: 6, shape: [2, 3], strides: [3, 1] })),
    () => load(tensor({ size: 6, shape: [2, 3], strides: [2, 1] })),
    "whose elements overlap",
  ],
  [
    "columns that lie between each other, and that share an element",
    () => load(tensor({ size: 9, shape: [2, 3], strides: [1, 2] })),
    () => load(tensor({ size: 9, shape: [2, 3], strides: [2, 2] })),
    "whose elements overlap",
  ],
  [
    "an axis of one element with any stride, and one of two",
    () => load(tensor({ size: 9, shape: [3, 1], strides: [2, 3] })),
    () => load(tensor({ size: 9, shape: [3, 2], strides: [2, 3] })),
    "whose elements overlap",
  ],
  [
    "64 axes, and 65",
    () => load(tensor({ size: 1, shape: ones(64), strides: ones(64) })),
    () => load(tensor({ size: 1, shape: ones(65), strides: ones(65) })),
    "a shape that is no list of counts",
  ],
];

const f32 = (count: number, begin: number, end = begin + 4 * count) => ({
  dtype: "F32",
  shape: [count],
  data_offsets: [begin, end],
});
const headed = (header: object, data: string) => openSafetensors(memoryFile(safetensors(header, data)));
const limited = (headerBytes: number) =>
  openSafetensors(memoryFile(safetensors({})), { limits: { ...defaultLimits, headerBytes } });

const headers: readonly Row[] = [
  [
    "a file of a header alone, and one that is a byte shorter",
    () => openSafetensors(memoryFile(safetensors({}))),
    () => openSafetensors(memoryFile(safetensors({}).slice(0, -1))),
    "says its header ends at byte 10, and ends itself at 9",
  ],
  [
    "eight bytes, and seven",
    undefined,
    () => openSafetensors(memoryFile("\0".repeat(7))),
    "is 7 bytes long; the header's length alone takes 8",
  ],
  [
    "eight bytes that say of no header",
    undefined,
    () => openSafetensors(memoryFile("\0".repeat(8))),
    "the header is not valid JSON",
  ],
  [
    "a header of just the limit, and of a byte more",
    () => limited(2),
    () => limited(1),
    "has a header of 2 bytes; at most 1 are read",
  ],
  [
    "tensors that touch, and that share a byte",
    () => headed({ a: f32(1, 0), b: f32(1, 4) }, float32(1, 2)),
    () => headed({ a: f32(1, 0), b: { dtype: "U8", shape: [5], data_offsets: [3, 8] } }, float32(1, 2)),
    '"b" starts at byte 3, inside the tensor before it',
  ],
  [
    "tensors with a byte between them",
    undefined,
    () => headed({ a: f32(1, 0), b: { dtype: "U8", shape: [3], data_offsets: [5, 8] } }, float32(1, 2)),
    'bytes 4 to 5, before "b", are no tensor\'s',
  ],
  [
    "data up to the file's end, and a byte more of the file",
    () => headed({ a: f32(1, 0) }, float32(1)),
    () => headed({ a: f32(1, 0) }, `${float32(1)}!`),
    "the tensors take 4 bytes, the file holds 5",
  ],
  [
    "a byte less of the file",
    undefined,
    () => headed({ a: f32(1, 0) }, float32(1).slice(1)),
    "the tensors take 4 bytes, the file holds 3",
  ],
  [
    "a range a byte longer than its tensor",
    undefined,
    () => headed({ a: f32(1, 0, 5) }, `${float32(1)}!`),
    "takes 4 bytes, but is given bytes 0 to 5",
  ],
  [
    "a range a byte shorter than its tensor",
    undefined,
    () => headed({ a: f32(1, 0, 3) }, float32(1).slice(1)),
    "takes 4 bytes, but is given bytes 0 to 3",
  ],
];

for (const [kind, rows] of Object.entries({ archives, pickles, headers })) {
  test.each(rows)(`${kind}: %s`, async (_, allowed, beyond, says) => {
    await allowed?.();
    const error = await Promise.resolve()
      .then(beyond)
      .catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(OpenFlamingoError);
    expect((error as OpenFlamingoError).message).toContain(says);
  });
}
