import { execFileSync } from "node:child_process";
import { mkdirSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { ErrorCode } from "../../src/base/errors.js";
import { openCheckpoint } from "../../src/checkpoints/openCheckpoint.node.js";
import { openSource } from "../../src/checkpoints/openSource.js";
import {
  bytes,
  dictionary,
  expectError,
  float32,
  folderOf,
  memoryFile,
  read,
  safetensors,
  tensor,
  torchFile,
} from "./fixtures.js";

/** A safetensors file with one number for each name. */
function numbersFile(values: Record<string, number>): string {
  const names = Object.keys(values);
  const entry = (i: number) => ({ dtype: "F32", shape: [1], data_offsets: [4 * i, 4 * i + 4] });
  return safetensors(
    Object.fromEntries(names.map((name, i) => [name, entry(i)])),
    float32(...Object.values(values)),
  );
}

const torchNumber = torchFile(dictionary({ w: tensor({ size: 1, shape: [1], strides: [1] }) }), [float32(7)]);
const index = (map: unknown) => JSON.stringify({ metadata: {}, weight_map: map });

test("a file's kind is known from its content, whatever it is called", async () => {
  const folder = folderOf({ "a.pt": numbersFile({ w: 3 }), "b.safetensors": torchNumber });
  await using first = await openCheckpoint(join(folder, "a.pt"));
  await using second = await openCheckpoint(join(folder, "b.safetensors"));
  expect(await read(first, "w")).toEqual([3]);
  expect(await read(second, "w")).toEqual([7]);
});

test("a folder's single file is opened, safetensors before torch", async () => {
  await using torch = await openCheckpoint(folderOf({ "pytorch_model.bin": torchNumber }));
  expect(await read(torch, "w")).toEqual([7]);
  const both = folderOf({ "pytorch_model.bin": torchNumber, "model.safetensors": numbersFile({ w: 3 }) });
  await using safe = await openCheckpoint(both);
  expect(await read(safe, "w")).toEqual([3]);
});

test("the shards of an index are one checkpoint", async () => {
  const folder = folderOf({
    "model.safetensors.index.json": index({ a: "1.safetensors", b: "2.safetensors", c: "1.safetensors" }),
    "1.safetensors": numbersFile({ a: 1, c: 3 }),
    "2.safetensors": numbersFile({ b: 2 }),
  });
  const checkpoint = await openCheckpoint(folder);
  expect(checkpoint.name).toBe(folder);
  expect([...checkpoint.tensors.keys()].sort()).toEqual(["a", "b", "c"]);
  expect([await read(checkpoint, "a"), await read(checkpoint, "b"), await read(checkpoint, "c")]).toEqual([
    [1],
    [2],
    [3],
  ]);
  await expect(checkpoint.read("d", new Float32Array(1))).rejects.toMatchObject({ code: "internal" });
  await checkpoint.close();
  await expectError(() => read(checkpoint, "a"), "checkpoint-damaged", "reading 4 bytes");
});

test("names lose what wrapped the model, in safetensors, in shards and in their index", async () => {
  const wrapped = numbersFile({ "module.a": 1, "b._orig_mod.w": 2 });
  await using single = await openCheckpoint(folderOf({ "model.safetensors": wrapped }));
  expect([...single.tensors.keys()]).toEqual(["a", "b.w"]);
  await using shards = await openCheckpoint(
    folderOf({
      "pytorch_model.bin.index.json": index({ "module.a": "1", "b._orig_mod.w": "1", "module.w": "2" }),
      1: wrapped,
      2: torchFile(dictionary({ "module.w": tensor({ size: 1, shape: [1], strides: [1] }) }), [float32(7)]),
    }),
  );
  expect([...shards.tensors.keys()]).toEqual(["a", "b.w", "w"]);
  expect([await read(shards, "b.w"), await read(shards, "w")]).toEqual([[2], [7]]);
});

const badFolders: [what: string, files: Record<string, string>, message: string, code?: ErrorCode][] = [
  [
    "a folder without weights",
    { "config.json": "{}" },
    "holds none of model.safetensors",
    "checkpoint-missing",
  ],
  [
    "a shard that is missing",
    { "model.safetensors.index.json": index({ a: "1.safetensors" }) },
    'the shard "1.safetensors", named in model.safetensors.index.json, is not there',
    "checkpoint-missing",
  ],
  [
    "a shard outside the folder",
    { "pytorch_model.bin.index.json": index({ a: "../1.bin" }) },
    'the shard "../1.bin", named in pytorch_model.bin.index.json, leaves the folder',
    "checkpoint-missing",
  ],
  [
    "a shard by an absolute path",
    { "pytorch_model.bin.index.json": index({ a: "/etc/passwd" }) },
    '"/etc/passwd", named in pytorch_model.bin.index.json, is absolute',
    "checkpoint-missing",
  ],
  [
    "an index that names a tensor its shard lacks",
    { "model.safetensors.index.json": index({ a: "1", b: "1", c: "1" }), "1": numbersFile({ a: 1 }) },
    'names tensors that their shards lack: "b" in "1", "c" in "1"',
  ],
  [
    "an index that leaves out a tensor of a shard",
    { "model.safetensors.index.json": index({ a: "1" }), "1": numbersFile({ a: 1, b: 2 }) },
    'leaves out tensors of its shards: "b" in "1"',
  ],
  [
    "an index of two names that are one",
    { "model.safetensors.index.json": index({ a: "1", "module.a": "2" }), "1": "", "2": "" },
    'holds the tensor "a" twice, as "a" and as "module.a"',
  ],
  [
    "a file of two names that are one",
    { "model.safetensors": numbersFile({ "_orig_mod.a": 1, a: 2 }) },
    'holds the tensor "a" twice',
  ],
  [
    "flat parameters",
    { "model.safetensors": numbersFile({ _flat_param: 1 }) },
    'holds "_flat_param", many tensors in one, as FSDP flattens them',
    "checkpoint-rejected",
  ],
  [
    "a shard that is damaged",
    { "model.safetensors.index.json": index({ a: "1" }), "1": "oops" },
    "1: is neither",
  ],
  ["an index that is not JSON", { "model.safetensors.index.json": "{" }, "index.json: is not valid JSON"],
  [
    "an index that is not UTF-8",
    { "model.safetensors.index.json": '{"\xff":1}' },
    "index.json: is not UTF-8",
  ],
  ["an index without a map", { "model.safetensors.index.json": "{}" }, "has no weight_map"],
  ["an index with a list", { "model.safetensors.index.json": index(["1"]) }, "has no weight_map"],
  [
    "an index with a number for a file",
    { "model.safetensors.index.json": index({ a: 1 }) },
    "has no weight_map",
  ],
  [
    "an index that names a tensor twice",
    { "model.safetensors.index.json": '{"weight_map":{"a":"1","a":"2"}}' },
    'holds the name "a" twice',
  ],
];
for (const [what, files, message, code = "checkpoint-damaged"] of badFolders) {
  test(`${what}: rejected with a specific error`, async () => {
    await expectError(() => openCheckpoint(folderOf(files)), code, message);
  });
}

test("a shard that is a link out of the folder is rejected; a link inside it is followed", async () => {
  const outside = folderOf({ "1": numbersFile({ a: 1 }) });
  const files = { "model.safetensors.index.json": index({ a: "link" }), there: numbersFile({ a: 1 }) };
  const linkedOut = folderOf(files);
  symlinkSync(join(outside, "1"), join(linkedOut, "link"));
  await expectError(
    () => openCheckpoint(linkedOut),
    "checkpoint-missing",
    '"link"',
    "is a link that leaves the folder",
  );
  const alone = folderOf({});
  symlinkSync(join(outside, "1"), join(alone, "model.safetensors"));
  await expectError(
    () => openCheckpoint(alone),
    "checkpoint-missing",
    "model.safetensors is a link that leaves",
  );
  const linkedIn = folderOf(files);
  symlinkSync("there", join(linkedIn, "link"));
  await using checkpoint = await openCheckpoint(linkedIn);
  expect(await read(checkpoint, "a")).toEqual([1]);
});

const badFiles: [what: string, content: string, message: string, code?: ErrorCode][] = [
  ["an empty file", "", "is neither safetensors nor a torch archive; it is 0 bytes long"],
  ["a text", "hello, this is no checkpoint", 'and starts "hello, this is n"'],
  ["a text of terminal commands", "\x1b[31mred", '"\\u001b[31mred"'],
  [
    "a bare pickle of older torch",
    "\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.",
    "before version 1.6",
    "checkpoint-rejected",
  ],
  ["a tar of oldest torch", `${"\0".repeat(257)}ustar\0`, "before version 1.6", "checkpoint-rejected"],
  [
    "a pointer of Git LFS",
    "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n",
    "is Git LFS's pointer",
    "checkpoint-rejected",
  ],
];
for (const [what, content, message, code = "checkpoint-damaged"] of badFiles) {
  test(`${what}: rejected with a specific error, and the file is closed`, async () => {
    const source = memoryFile(content, "weights");
    await expectError(() => openSource(source), code, "weights: ", message);
    expect(source.closed).toBe(true);
  });
}

test("what is no file is rejected with a specific error", async () => {
  const folder = folderOf({ file: "" });
  await expectError(
    () => openCheckpoint(join(folder, "none.pt")),
    "checkpoint-missing",
    "there is no such file",
  );
  await expectError(() => openCheckpoint(join(folder, "file/none.pt")), "checkpoint-missing", "no such file");
  mkdirSync(join(folder, "model.safetensors"));
  await expectError(() => openCheckpoint(folder), "checkpoint-missing", "model.safetensors: is not a file");
});

test.skipIf(process.platform === "win32")("a named pipe does not make the program wait", async () => {
  const pipe = join(folderOf({}), "pipe");
  execFileSync("mkfifo", [pipe]);
  await expectError(() => openCheckpoint(pipe), "checkpoint-missing", "is not a file");
});

test("a file that becomes shorter while it is read is an error that says where", async () => {
  const path = join(folderOf({}), "w.safetensors");
  writeFileSync(path, bytes(numbersFile({ a: 1, b: 2 })));
  await using checkpoint = await openCheckpoint(path);
  truncateSync(path, 8);
  await expectError(() => read(checkpoint, "b"), "checkpoint-damaged", "ends at byte");
});

test("opening can be cancelled", async () => {
  const source = memoryFile(torchNumber);
  await expect(openSource(source, { signal: AbortSignal.abort(new Error("stopped")) })).rejects.toThrow(
    "stopped",
  );
  expect(source.closed).toBe(true);
});
