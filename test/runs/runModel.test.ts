/** A run folder is a model folder, with the newest checkpoint as its trained part. */
import { mkdirSync, readFileSync, statSync, symlinkSync, unlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { load } from "../../src/api/load.node.js";
import { elementCount } from "../../src/base/dtypes.js";
import { readModelFolder, requireCheckpoints } from "../../src/checkpoints/modelFolder.node.js";
import type { OpenableModel } from "../../src/checkpoints/openableModel.js";
import { openCheckpoint } from "../../src/checkpoints/openCheckpoint.node.js";
import { createRun, openRun } from "../../src/runs/runFolder.node.js";
import { describeRunModel, linkBaseModel } from "../../src/runs/runModel.node.js";
import type { FloatTensor, RunState } from "../../src/runs/runState.js";
import { expectError, temporaryFolder } from "../checkpoints/fixtures.js";
import { goldenModel } from "../goldens.js";
import { isSlowAsked } from "../slow.js";
import { stateOf } from "./runs.js";

const photo = new URL("../../assets/photos/chelsea.png", import.meta.url).pathname;

/** Whether the disk has links. */
const disk = vi.hoisted(() => ({ canLink: true }));
vi.mock("node:fs/promises", async (original) => {
  const real = await original<typeof import("node:fs/promises")>();
  const link: typeof real.link = (from, to) =>
    disk.canLink ? real.link(from, to) : Promise.reject(Object.assign(new Error("EXDEV"), { code: "EXDEV" }));
  return { ...real, link };
});

/** The state of a model whose trained part is that of a checkpoint, numbers times `scale`. */
async function stateFrom(path: string, step: number, scale: number): Promise<RunState> {
  const checkpoint = await openCheckpoint(path);
  const parameters = new Map<string, FloatTensor>();
  for (const [name, { shape }] of checkpoint.tensors) {
    const data = new Float32Array(elementCount(shape));
    await checkpoint.read(name, data);
    parameters.set(name, { shape, data: data.map((x) => scale * x) });
  }
  await checkpoint.close();
  const zeros = () =>
    new Map(
      [...parameters].map(([name, { shape, data }]) => [
        name,
        { shape, data: new Float32Array(data.length) },
      ]),
    );
  return { ...stateOf(1), step, parameters, expAvg: zeros(), expAvgSq: zeros() };
}

async function captionOf(folder: string): Promise<string> {
  const flamingo = await load(folder, { onNotice: () => {} });
  const { text } = await flamingo.caption(photo, { maxNewTokens: 5 });
  await flamingo.close();
  return text;
}

test.each(["tiny-openflamingo-9b", ...(isSlowAsked ? ["tiny-openflamingo-4b"] : [])])(
  "%s: the run answers as its newest checkpoint does",
  async (name) => {
    const base = requireCheckpoints(await readModelFolder(goldenModel(name)));
    const { checkpoint } = base.flamingo;
    const folder = join(temporaryFolder(), "run");
    const run = await createRun(folder, { settings: {}, base });
    await expectError(() => load(folder), "model-invalid", "openflamingo.json is not there");
    await run.save(await stateFrom(checkpoint, 1, 1), { keep: 1 });
    const before = await captionOf(base.folder);
    expect(await captionOf(folder)).toBe(before);
    await run.save(await stateFrom(checkpoint, 2, 3), { keep: 1 });
    expect(await captionOf(folder)).not.toBe(before);
    await run.close();
    // The newest is damaged: the run's model is the one before it again.
    const opened = await openRun(folder);
    await opened.save(await stateFrom(checkpoint, 3, 1), { keep: 3 });
    expect(await captionOf(folder)).toBe(before);
    await opened.save(await stateFrom(checkpoint, 4, 5), { keep: 3 });
    expect(await captionOf(folder)).not.toBe(before);
    await opened.close();
    unlinkSync(join(folder, "checkpoints/step-00000004/manifest.json"));
    await (await openRun(folder)).close();
    expect(await captionOf(folder)).toBe(before);
    const { words, name: own } = await readModelFolder(folder);
    expect([words, own]).toEqual(["trained", `${name} (trained)`]);
    // No weights were copied.
    const weights = (await readModelFolder(folder)) as OpenableModel;
    expect(statSync(weights.vision.weights).ino).toBe(statSync(base.vision.weights).ino);
  },
);

test("where the disk has no links, weights are copied, with a notice", async () => {
  const base = requireCheckpoints(await readModelFolder(goldenModel("tiny-openflamingo-9b")));
  const notices: string[] = [];
  disk.canLink = false;
  const folder = join(temporaryFolder(), "run");
  const run = await createRun(folder, { settings: {}, base, onNotice: (text) => notices.push(text) });
  disk.canLink = true;
  await run.save(await stateFrom(base.flamingo.checkpoint, 1, 1));
  await run.close();
  expect(notices).toEqual([expect.stringContaining("the weights of tiny-openflamingo-9b are copied")]);
  const { vision } = (await readModelFolder(folder)) as OpenableModel;
  expect(statSync(vision.weights).ino).not.toBe(statSync(base.vision.weights).ino);
  expect(readFileSync(vision.weights).equals(readFileSync(base.vision.weights))).toBe(true);
});

/** A base model as a hub's cache has it: links to blobs, no file of the vision encoder's configuration. */
function hubModel(index: string): OpenableModel {
  const cache = temporaryFolder();
  const snapshot = join(cache, "models--a--b/snapshots/1");
  const blobs = join(cache, "models--a--b/blobs");
  mkdirSync(snapshot, { recursive: true });
  mkdirSync(blobs);
  const file = (name: string, content: string) => {
    writeFileSync(join(blobs, `hash-${name}`), content);
    symlinkSync(join("../../blobs", `hash-${name}`), join(snapshot, name));
    return join(snapshot, name);
  };
  file("model.safetensors.index.json", index);
  file("a.safetensors", "shard a");
  file("other.safetensors", "not named");
  file("tokenizer_config.json", "{}");
  return {
    ...{ name: "hub/model", words: "trained", folder: cache, folders: undefined },
    ...{
      visionJson: { model_cfg: 1 },
      clipTokenizer: { path: file("clip.json", "clip's"), folder: snapshot },
    },
    vision: { config: join(snapshot, "none.json"), weights: file("clip weights.pt", "vision") },
    language: {
      config: file("config.json", "{}"),
      weights: snapshot,
      tokenizer: file("tokenizer.json", "tokens"),
    },
    flamingo: { checkpoint: file("checkpoint.pt", "trained"), crossAttentionEvery: 4 },
    ...{ licence: "MIT", prompt: "A photo of", generation: { maxNewTokens: 9 } },
  };
}
const indexOf = (shard: string) => JSON.stringify({ weight_map: { a: shard, b: shard } });

test("a model of the hub: what its links lead to is linked, and the files that its index names", async () => {
  const run = temporaryFolder();
  const model = await linkBaseModel(run, hubModel(indexOf("a.safetensors")));
  const text = (path: string) => readFileSync(join(run, path), "utf8");
  expect(JSON.parse(text(model.vision.config))).toEqual({ model_cfg: 1 });
  expect([model.vision.weights, text(model.vision.weights)]).toEqual(["model/clip/weights", "vision"]);
  expect(text("model/clip/tokenizer.json")).toBe("clip's");
  expect(text(model.language.tokenizer)).toBe("tokens");
  expect(text("model/lang/tokenizer_config.json")).toBe("{}");
  expect(text(`${model.language.weights}/a.safetensors`)).toBe("shard a");
  expect(() => text(`${model.language.weights}/other.safetensors`)).toThrow("ENOENT");
  await describeRunModel(run, model, "model/lang/config.json");
  expect(JSON.parse(text("openflamingo.json"))).toMatchObject({
    ...{ name: "hub/model (trained)", words: "trained", licence: "MIT", prompt: "A photo of" },
    ...{
      generation: { maxNewTokens: 9 },
      flamingo: { checkpoint: "model/lang/config.json", crossAttentionEvery: 4 },
    },
  });
  await readModelFolder(run);
});

test("files that a base model lacks, and shards elsewhere, are rejected", async () => {
  const outside = hubModel(indexOf("../../../secret.safetensors"));
  await expectError(
    () => linkBaseModel(temporaryFolder(), outside),
    "checkpoint-damaged",
    "leaves the folder",
  );
  const whole = hubModel(indexOf("a.safetensors"));
  const language = { ...whole.language, tokenizer: join(whole.folder, "none.json") };
  const error = await expectError(
    () => linkBaseModel(temporaryFolder(), { ...whole, language }),
    "model-missing",
    "none.json",
  );
  expect(error.hint).toContain("base model");
});

test("a creation is stopped by its signal and can be done again", async () => {
  const base = requireCheckpoints(await readModelFolder(goldenModel("tiny-openflamingo-9b")));
  const folder = join(temporaryFolder(), "run");
  const reason = new Error("enough");
  await expect(createRun(folder, { settings: {}, base, signal: AbortSignal.abort(reason) })).rejects.toBe(
    reason,
  );
  await (await createRun(folder, { settings: {}, base })).close();
});
