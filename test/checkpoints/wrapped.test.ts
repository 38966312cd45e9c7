/**
 * Checkpoints of wrapped models, as training writes them, in place of a model's own: the same tensors, the same
 * answers.
 */
import { cpSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { openCheckpoint } from "../../src/checkpoints/openCheckpoint.node.js";
import { createModelAndTransforms, load } from "../../src/index.js";
import { golden, randomModelFolder } from "../goldens.js";
import { dictionary, float32, read, temporaryFolder, tensor, text, torchFile } from "./fixtures.js";

const clipFile = join(randomModelFolder, "clip/open_clip_pytorch_model.bin");
const trainedFile = join(randomModelFolder, "checkpoint.pt");

/** An archive with the tensors of `file` by other names, in what `around` puts around their dictionary. */
async function rewritten(
  file: string,
  rename: (name: string) => string,
  around: (dictionary: string) => string = (dictionary) => dictionary,
): Promise<string> {
  await using checkpoint = await openCheckpoint(file);
  const storages: string[] = [];
  const tensors: Record<string, string> = {};
  for (const [name, { shape }] of checkpoint.tensors) {
    const values = await read(checkpoint, name);
    const strides = shape.map((_, axis) =>
      shape.slice(axis + 1).reduce((product, size) => product * size, 1),
    );
    const key = String(storages.push(float32(...values)) - 1);
    tensors[rename(name)] = tensor({ key, size: values.length, shape: [...shape], strides });
  }
  const path = join(temporaryFolder(), "epoch_3.pt");
  writeFileSync(path, torchFile(around(dictionary(tensors)), storages), "latin1");
  return path;
}

/** As OpenFlamingo (Python) and open_clip write them. */
const training = (key: string) => (state: string) =>
  dictionary({
    epoch: "K\x03",
    name: text("run"),
    [key]: state,
    optimizer: dictionary({ state: "}", param_groups: "]" }),
  });
const middle = (mark: string) => (name: string) => name.replace(".", `.${mark}.`);

const forms: readonly [what: string, rename: (name: string) => string, around?: (state: string) => string][] =
  [
    ["of DistributedDataParallel", (name) => `module.${name}`],
    ["of torch.compile", (name) => `_orig_mod.${name}`],
    [
      "of FSDP, with its blocks wrapped too",
      (name) => `_fsdp_wrapped_module.${middle("_fsdp_wrapped_module")(name)}`,
    ],
    ["of DistributedDataParallel around torch.compile", (name) => `module._orig_mod.${name}`],
    ["of OpenFlamingo's training", (name) => `module.${name}`, training("model_state_dict")],
    ["of open_clip's training", (name) => `module.${name}`, training("state_dict")],
    ["nested under model, with checkpointed blocks", middle("_checkpoint_wrapped_module"), training("model")],
    ["nested under module", (name) => name, training("module")],
  ];
test.each(forms)("a checkpoint %s has the tensors of the plain one", async (_, rename, around) => {
  for (const file of [clipFile, trainedFile]) {
    await using plain = await openCheckpoint(file);
    await using other = await openCheckpoint(await rewritten(file, rename, around));
    expect([...other.tensors.keys()]).toEqual([...plain.tensors.keys()]);
    for (const name of plain.tensors.keys()) expect(await read(other, name)).toEqual(await read(plain, name));
  }
});

test("a model with such files answers as with the plain ones, loaded by both ways", async () => {
  const [photo] = readdirSync(golden("photos")).filter((name) => name.endsWith(".jpg"));
  const captionOf = async (folder: string) => {
    const model = await load(folder);
    try {
      return (await model.caption(join(golden("photos"), photo!))).ids;
    } finally {
      await model.close();
    }
  };
  const folder = join(temporaryFolder(), "model");
  cpSync(randomModelFolder, folder, { recursive: true });
  const clip = await rewritten(clipFile, (name) => `module.${name}`, training("state_dict"));
  const trained = await rewritten(trainedFile, (name) => `module.${name}`);
  cpSync(clip, join(folder, "clip/open_clip_pytorch_model.bin"));
  cpSync(trained, join(folder, "checkpoint.pt"));
  expect(await captionOf(folder)).toEqual(await captionOf(randomModelFolder));

  const { model } = await createModelAndTransforms({
    clipVisionEncoderPath: join(randomModelFolder, "clip"),
    clipVisionEncoderPretrained: clip,
    langEncoderPath: join(randomModelFolder, "lang"),
    tokenizerPath: join(randomModelFolder, "lang"),
    crossAttnEveryNLayers: 4,
  });
  try {
    const keys = await model.loadStateDict(trained, { strict: false });
    expect(keys.unexpectedKeys).toEqual([]);
    expect(keys.missingKeys.filter((name) => /perceiver|gated_cross_attn/.test(name))).toEqual([]);
  } finally {
    await model.close();
  }
});
