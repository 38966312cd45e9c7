/** What a run keeps on disk, and what is made of it when the run is resumed. */
import { createHash } from "node:crypto";
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { preparedVersion } from "../../src/checkpoints/modelFolder.js";
import { parseChecked, showChecked } from "../../src/runs/checkedJson.node.js";
import { superseded } from "../../src/runs/manifest.js";
import { createRun, openRun } from "../../src/runs/runFolder.node.js";
import type { FloatTensor, RunState } from "../../src/runs/runState.js";
import { expectError, temporaryFolder } from "../checkpoints/fixtures.js";
import { emptyTensors, read, stateOf } from "./runs.js";

const settings = { learningRate: 1e-4, batchSize: 8 };

/** A run with checkpoints of these steps, closed. */
async function runWith(...steps: readonly number[]): Promise<string> {
  const folder = join(temporaryFolder(), "run");
  const run = await createRun(folder, { settings });
  for (const step of steps) await run.save(stateOf(step), { keep: 10 });
  await run.close();
  return folder;
}
const checkpoints = (folder: string) => readdirSync(join(folder, "checkpoints")).sort();
const at = (folder: string, step: number, file = "") =>
  join(folder, "checkpoints", `step-${String(step).padStart(8, "0")}`, file);

test("a run that is opened again has its settings and, bit for bit, the state of its newest checkpoint", async () => {
  const folder = await runWith(5, 10);
  expect(checkpoints(folder)).toEqual(["step-00000005", "step-00000010"]);
  const run = await openRun(folder);
  expect(run.settings).toEqual(settings);
  expect(await read(run.latest!)).toEqual(stateOf(10));
  await run.close();
  expect(readdirSync(folder).sort()).toEqual(["checkpoints", "log.jsonl", "run.json", "tensorboard"]);
});

test("a run without checkpoints begins", async () => {
  const run = await openRun(await runWith());
  expect(run.latest).toBeUndefined();
  await run.close();
});

test("a run without checkpoints can be removed, with what belongs to it; one that has some cannot", async () => {
  const folder = await runWith();
  const run = await openRun(folder);
  for (const name of ["mine", "data"]) mkdirSync(join(folder, name));
  await run.discard(["data"]);
  expect(readdirSync(folder)).toEqual(["mine"]);
  rmSync(join(folder, "mine"), { recursive: true });
  const again = await createRun(folder, { settings });
  await again.save(stateOf(1));
  await expect(again.discard([])).rejects.toMatchObject({ code: "internal" });
  await again.close();
  expect(checkpoints(folder)).toEqual(["step-00000001"]);
});

test("old checkpoints go when the new one is complete, those of every n-th step never", async () => {
  const folder = await runWith();
  const run = await openRun(folder);
  for (const step of [3, 6, 9, 12, 15]) await run.save(stateOf(step), { keep: 2, keepEvery: 6 });
  expect(checkpoints(folder)).toEqual(["step-00000006", "step-00000012", "step-00000015"]);
  await run.save(stateOf(18), { keep: 1 });
  expect(checkpoints(folder)).toEqual(["step-00000018"]);
  await run.close();
  expect(superseded([4, 1, 3, 2], { keep: 0 })).toEqual([1, 3, 2]);
});

test("a checkpoint of the same step takes the place of the one that is there", async () => {
  const folder = await runWith(4);
  const run = await openRun(folder);
  const again = { ...stateOf(4), data: "another" };
  await run.save(again, { keep: 1 });
  await run.close();
  expect(checkpoints(folder)).toEqual(["step-00000004"]);
  const opened = await openRun(folder);
  expect(await read(opened.latest!)).toEqual(again);
  await opened.close();
});

test("further files are in the checkpoint and in its sums", async () => {
  const folder = await runWith();
  const run = await openRun(folder);
  const files = new Map([["checkpoint.pt", () => [Buffer.from("torch's")]]]);
  await run.save(stateOf(1), { files });
  await expectError(
    () => run.save(stateOf(2), { files: new Map([["../out", () => []]]) }),
    "internal",
    "../out",
  );
  await run.close();
  expect(readFileSync(at(folder, 1, "checkpoint.pt"), "utf8")).toBe("torch's");
  writeFileSync(at(folder, 1, "checkpoint.pt"), "torch'z");
  await expectError(() => openRun(folder), "run-invalid", "checkpoint.pt");
});

const change = (path: string, edit: (bytes: Buffer) => Buffer) =>
  writeFileSync(path, edit(readFileSync(path)));
const manifestWith = (folder: string, edit: (manifest: Record<string, unknown>) => object) =>
  change(at(folder, 2, "manifest.json"), (bytes) => {
    const { sha256: _, ...document } = JSON.parse(bytes.toString()) as Record<string, unknown>;
    return Buffer.from(showChecked(edit(document) as Record<string, string>));
  });
const firstFile = (change: object) => (manifest: Record<string, unknown>) => {
  const [first, ...others] = manifest.files as object[];
  return { ...manifest, files: [{ ...first, ...change }, ...others] };
};
type Damage = readonly [what: string, damage: (folder: string) => void, says: string];
const damages: readonly Damage[] = [
  ["a changed number", (f) => change(at(f, 2, "model.safetensors"), flip), "not those that were written"],
  ["a changed moment", (f) => change(at(f, 2, "optimizer.safetensors"), flip), "not those that were written"],
  ["a changed position", (f) => change(at(f, 2, "state.json"), flip), "state.json"],
  ["a file that was cut off", (f) => truncateSync(at(f, 2, "optimizer.safetensors"), 1000), "1000 bytes"],
  ["a file that is missing", (f) => rmSync(at(f, 2, "state.json")), "state.json is not there"],
  ["no manifest", (f) => rmSync(at(f, 2, "manifest.json")), "manifest.json is not there"],
  ["half of a manifest", (f) => truncateSync(at(f, 2, "manifest.json"), 300), "not valid JSON"],
  [
    "a manifest without its sum",
    (f) => change(at(f, 2, "manifest.json"), unsummed),
    "its SHA-256 is another",
  ],
  ["a manifest of another step", (f) => manifestWith(f, (m) => ({ ...m, step: 3 })), "is that of step 3"],
  ["another version", (f) => manifestWith(f, (m) => ({ ...m, version: 2 })), "version is 2"],
  ["a name outside", (f) => manifestWith(f, firstFile({ name: "../../run.json" })), "files[0].name"],
  ["an impossible size", (f) => manifestWith(f, firstFile({ bytes: -1 })), "files[0].bytes"],
  ["a size beyond all disks", (f) => manifestWith(f, firstFile({ bytes: 2 ** 50 })), "files[0].bytes"],
  ["a file named twice", (f) => manifestWith(f, firstFile({ name: "STATE.json" })), "names a file twice"],
  ["a file that is not named", (f) => manifestWith(f, unnamed), "does not name state.json"],
  ["a long manifest", (f) => change(at(f, 2, "manifest.json"), padded), "at most 65536 are read"],
  ["a link that leaves the folder", linkOut, "is a link that leaves the folder"],
  [
    "a checkpoint's folder that is another's",
    (f) => cpSync(at(f, 1), at(f, 3), { recursive: true }),
    "is that of step 1",
  ],
  ["a state of another step", otherState, "state.json is that of step 9"],
];
const flip = (bytes: Buffer) => {
  bytes[bytes.length - 5]! ^= 1;
  return bytes;
};
const unsummed = (bytes: Buffer) =>
  Buffer.from(bytes.toString().replace(/"sha256": "[0-9a-f]{64}"\n}/, '"x": 1}'));
const unnamed = (manifest: Record<string, unknown>) => ({
  ...manifest,
  files: (manifest.files as { name: string }[]).filter(({ name }) => name !== "state.json"),
});
const padded = (bytes: Buffer) => Buffer.concat([bytes, Buffer.alloc(2 ** 16, " ")]);
function linkOut(folder: string): void {
  const outside = join(temporaryFolder(), "state.json");
  renameSync(at(folder, 2, "state.json"), outside);
  symlinkSync(outside, at(folder, 2, "state.json"));
}
/** One whose sums are right. */
function otherState(folder: string): void {
  const path = at(folder, 2, "state.json");
  change(path, (bytes) => Buffer.from(bytes.toString().replace('"step": 2', '"step": 9')));
  const sha256 = createHash("sha256").update(readFileSync(path)).digest("hex");
  manifestWith(folder, (manifest) => ({
    ...manifest,
    files: (manifest.files as { name: string }[]).map((file) =>
      file.name === "state.json" ? { ...file, sha256 } : file,
    ),
  }));
}

test.each(damages)("%s: reported, set aside, and the one before is taken", async (_, damage, says) => {
  const folder = await runWith(1, 2);
  damage(folder);
  const notices: string[] = [];
  const run = await openRun(folder, { onNotice: (text) => notices.push(text) });
  const newest = says === "is that of step 1" ? 2 : 1;
  expect(await read(run.latest!)).toEqual(stateOf(newest));
  expect(notices).toHaveLength(1);
  expect(notices[0]).toContain(says);
  expect(notices[0]).toContain(`goes on from step ${newest}`);
  await run.save(stateOf(newest + 1), { keep: 1 });
  await run.close();
  expect(checkpoints(folder)).toEqual([`step-0000000${newest + 1}`, `step-0000000${newest + 1}.damaged`]);
});

test("a run whose checkpoints are all damaged is not begun anew", async () => {
  const folder = await runWith(1, 2);
  for (const step of [1, 2]) rmSync(at(folder, step, "state.json"));
  await expectError(
    () => openRun(folder),
    "run-invalid",
    "none of the run's checkpoints is whole",
    "step-00000002",
  );
  expect(checkpoints(folder)).toEqual(["step-00000001", "step-00000002"]);
  // The lock was given back.
  cpSync(at(await runWith(2), 2), at(folder, 2), { recursive: true });
  const run = await openRun(folder);
  expect(run.latest!.step).toBe(2);
  await run.close();
});

test("what killed processes left is removed, what was about to be replaced comes back", async () => {
  const folder = await runWith(1, 2);
  const inside = join(folder, "checkpoints");
  mkdirSync(join(inside, ".step-00000003.unfinished"));
  writeFileSync(join(inside, ".step-00000003.unfinished/model.safetensors"), "half");
  renameSync(at(folder, 2), join(inside, ".step-00000002.replaced"));
  cpSync(at(folder, 1), join(inside, ".step-00000001.replaced"), { recursive: true });
  mkdirSync(join(inside, ".step-00000000.removed"));
  mkdirSync(join(inside, "notes"));
  const run = await openRun(folder);
  expect(await read(run.latest!)).toEqual(stateOf(2));
  await run.close();
  expect(checkpoints(folder)).toEqual(["notes", "step-00000001", "step-00000002"]);
});

test("a second trainer in the folder is rejected by name until the first has ended", async () => {
  const folder = await runWith(1);
  const first = await openRun(folder);
  const error = await expectError(() => openRun(folder), "run-locked", `process ${process.pid}`, hostname());
  expect(error.hint).toContain("One trainer");
  await expectError(() => createRun(folder, { settings }), "run-locked");
  await first.close();
  await (await openRun(folder)).close();
  // A trainer that was killed holds nothing.
  writeFileSync(join(folder, "lock"), JSON.stringify({ process: 2 ** 22 + 7, host: hostname() }));
  await (await openRun(folder)).close();
});

test("a trainer whose run another has taken over saves no more", async () => {
  const folder = await runWith(1);
  const first = await openRun(folder);
  rmSync(join(folder, "lock"));
  const second = await openRun(folder);
  await expectError(() => first.save(stateOf(2)), "run-locked", "has taken it over");
  await second.save(stateOf(3));
  await first.close();
  expect(existsSync(join(folder, "lock"))).toBe(true);
  await second.close();
  expect(existsSync(join(folder, "lock"))).toBe(false);
});

test("a run begins in a new or an empty folder only", async () => {
  const folder = await runWith(1);
  await expectError(() => createRun(folder, { settings }), "usage", "there is a run already");
  const other = temporaryFolder();
  writeFileSync(join(other, "thesis.tex"), "");
  await expectError(() => createRun(other, { settings }), "usage", '"thesis.tex"');
  expect(readdirSync(other)).toEqual(["thesis.tex"]);
  const empty = temporaryFolder();
  mkdirSync(join(empty, "model")); // of a creation that was killed
  await (await createRun(empty, { settings })).close();
});

test("a folder that is no run, and one whose description was changed", async () => {
  await expectError(() => openRun(temporaryFolder()), "run-missing", "run.json is not there");
  await expectError(() => openRun(join(temporaryFolder(), "none")), "run-missing");
  const folder = await runWith(1);
  const path = join(folder, "run.json");
  const document = parseChecked(readFileSync(path, "utf8"), Error);
  change(path, (bytes) => Buffer.from(bytes.toString().replace("0.0001", "0.001")));
  await expectError(() => openRun(folder), "run-invalid", "run.json", "SHA-256");
  writeFileSync(path, showChecked({ ...document, version: 2, extra: 1 } as never));
  await expectError(() => openRun(folder), "run-invalid", "version is 2", '"extra"');
  const prepared = { prepared: { version: preparedVersion, weights: "int4", block: 128, sha256: "x" } };
  const described = {
    ...{ format: "openflamingo-model", version: 1, name: "x", words: "random", vision: { config: "a" } },
    ...{ language: { config: "a", tokenizer: "b" }, flamingo: { crossAttentionEvery: 1 }, ...prepared },
  };
  writeFileSync(path, showChecked({ ...document, model: described } as never));
  await expectError(() => openRun(folder), "run-invalid", "without checkpoints");
  rmSync(path);
  mkdirSync(path);
  await expectError(() => openRun(folder), "run-invalid", "not a file but a folder");
});

test("what is loaded must be what was saved, by names and shapes", async () => {
  const run = await openRun(await runWith(1));
  const into = emptyTensors();
  const wider = (tensors: ReadonlyMap<string, FloatTensor>) =>
    new Map(
      [...tensors].map(([name, { shape, data }]) => [
        name === "perceiver.latents" ? "x" : name,
        { shape, data },
      ]),
    );
  const other = {
    parameters: wider(into.parameters),
    expAvg: wider(into.expAvg),
    expAvgSq: new Map([["perceiver.latents", { shape: [32, 16], data: new Float32Array(512) }]]),
  };
  await expectError(
    () => run.latest!.load(other),
    "checkpoint-mismatch",
    '"x" is not in the checkpoint',
    '"exp_avg.perceiver.latents" is not trained any more',
    '"exp_avg_sq.perceiver.latents" is [16,32] there, and [32,16] here',
  );
  await run.close();
});

test("frozen tensors are in the model's file and in no moment", async () => {
  const folder = await runWith();
  const run = await openRun(folder);
  const frozen = new Map([
    ["lang_encoder.transformer.wte.weight", { shape: [2], data: Float32Array.of(1, 2) }],
  ]);
  await run.save({ ...stateOf(1), frozen });
  await run.close();
  const opened = await openRun(folder);
  expect(opened.latest!.tensors.get("lang_encoder.transformer.wte.weight")?.shape).toEqual([2]);
  expect(await read(opened.latest!)).toEqual(stateOf(1));
  await opened.close();
});

const withData = (data: unknown) => ({ ...stateOf(2), data }) as RunState;
const more = (moment: "expAvg" | "expAvgSq"): RunState => ({
  ...stateOf(2),
  [moment]: new Map([...stateOf(2)[moment], ["other", { shape: [1], data: new Float32Array(1) }]]),
});
test.each<readonly [string, RunState, string]>([
  ["a number that is none", withData({ at: Number.NaN }), '"at"'],
  ["a value that JSON leaves out", withData({ at: undefined }), '"at"'],
  ["an array of numbers", withData({ at: new Float32Array(2) }), '"at"'],
  ["a moment that is missing", { ...stateOf(2), expAvg: new Map() }, "perceiver.latents"],
  ["a moment of nothing", more("expAvgSq"), "other"],
  [
    "a tensor that is frozen and trained",
    { ...stateOf(2), frozen: stateOf(2).parameters },
    "perceiver.latents",
  ],
])("a state that cannot be saved is a bug, and leaves what was there: %s", async (_, state, says) => {
  const folder = await runWith(1);
  const run = await openRun(folder);
  await expectError(() => run.save(state, { keep: 1 }), "internal", says);
  expect(checkpoints(folder)).toEqual(["step-00000001"]);
  await run.close();
});

test("a signal stops saving and opening, and nothing is left", async () => {
  const folder = await runWith(1);
  const reason = new Error("enough");
  const run = await openRun(folder);
  await expect(run.save(stateOf(2), { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  expect(checkpoints(folder)).toEqual(["step-00000001"]);
  await run.close();
  await expect(openRun(folder, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  expect(existsSync(join(folder, "lock"))).toBe(false);
});
