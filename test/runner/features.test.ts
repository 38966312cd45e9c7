/**
 * CLIP's features as the backend computes them, beside the reference implementation's and beside the model's function.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import type { Checkpoint } from "../../src/checkpoints/checkpoint.js";
import { readModelFolder, requireCheckpoints } from "../../src/checkpoints/modelFolder.node.js";
import { openCheckpoint } from "../../src/checkpoints/openCheckpoint.node.js";
import { imageFeatures } from "../../src/models/clip.js";
import { type VisionConfiguration, visionConfiguration } from "../../src/models/configuration.js";
import { params } from "../../src/models/layers.js";
import { createFeatures, type Features, type TowerWeights } from "../../src/runner/features.js";
import type { Weight } from "../../src/runtime/runtime.js";
import { loadTower } from "../../src/weights/clipTowers.js";
import { golden, goldenTest } from "../goldens.js";
import { difference, host, type Plain } from "../graph/arrays.js";
import { useBackend } from "../graph/evaluate.js";
import { compare, moduleFile, modulesOf } from "../models/moduleFile.js";
import { type PlainTensor, safetensors, tensorsOf } from "../tensors.js";
import { type GoldenModel, tinyModel9bWith, tinyModelsWith } from "../tinyModel.js";

const backend = useBackend();
const folder = mkdtempSync(join(tmpdir(), "features-"));
afterAll(() => rmSync(folder, { recursive: true }));

const json = (path: string) => JSON.parse(readFileSync(path, "utf8"));

/** Features of a CLIP that stands alone: none of its weights is in memory. */
const ofClip = (config: object, file: string): Features =>
  createFeatures(
    backend.runtime,
    visionConfiguration("config.json", { model_cfg: config }),
    readFrom(() => openCheckpoint(file)),
  );

/** The weights of a tower, from a checkpoint that is opened for them. */
const readFrom =
  (open: () => Promise<Checkpoint>, loaded: ReadonlyMap<string, Weight> = new Map()): TowerWeights =>
  async (tower, uses) => {
    await using checkpoint = await open();
    return await loadTower(tower, uses, checkpoint, loaded);
  };

const rowsOf = ({ shape, data }: Plain): number[][] => {
  const width = data.length / shape[0]!;
  return Array.from({ length: shape[0]! }, (_, i) => data.slice(i * width, (i + 1) * width));
};

/** Images (N, 3, S, S) and texts (b, t), one by one, beside the reference implementation's features of all. */
async function compareWithOriginal(
  what: string,
  features: Features,
  { images, texts }: { images: Plain; texts: Plain },
  reference: { images: Plain; texts: Plain },
) {
  const found: number[] = [];
  for (const pixels of rowsOf(images)) found.push(...(await features.ofImage(Float32Array.from(pixels))));
  compare(what, "image_features", { shape: reference.images.shape, data: found }, reference.images);

  const padded: number[] = [];
  const cut: number[] = [];
  for (const ids of rowsOf(texts)) {
    padded.push(...(await features.ofText(ids)));
    const end = ids.indexOf(Math.max(...ids));
    cut.push(...(await features.ofText(ids.slice(0, end + 1))));
  }
  compare(what, "text_features", { shape: reference.texts.shape, data: padded }, reference.texts);
  compare(what, "text_features", { shape: reference.texts.shape, data: cut }, reference.texts);
}

test.each(modulesOf("clip_"))(
  "features of images and texts are the reference implementation's, and texts need no padding: $name",
  async ({ name, file: moduleName, config }) => {
    const { weights, inputs, outputs } = await moduleFile(moduleName);
    const tensors = Object.entries(weights).map(([tensor, { shape, data }]): [string, PlainTensor] => [
      tensor,
      { shape, data: Float32Array.from(data) },
    ]);
    const file = join(folder, `${name}.safetensors`);
    writeFileSync(file, safetensors(new Map(tensors)));
    await compareWithOriginal(
      `${name} by the backend`,
      ofClip(config, file),
      { images: inputs.image!, texts: inputs.text! },
      { images: outputs.image_features!, texts: outputs.text_features! },
    );
  },
);

const openAi = "checkpoints/openai-clip-tiny";
goldenTest(
  `${openAi}.pt`,
  "features of a CLIP in OpenAI's own form are the reference implementation's",
  async () => {
    const values = await tensorsOf(golden(`${openAi}.safetensors`));
    const plain = (name: string): Plain => {
      const { shape, data } = values.get(name)!;
      return { shape, data: Array.from(data) };
    };
    await compareWithOriginal(
      "openai-clip-tiny by the backend",
      ofClip(json(golden(`${openAi}.json`)).config, golden(`${openAi}.pt`)),
      { images: plain("input.image"), texts: plain("input.text") },
      { images: plain("output.image_features"), texts: plain("output.text_features") },
    );
  },
);

/** The features of a tiny model over the weights of its backend, and the names of what is read for them. */
async function ofTinyModel(tinyModel: Pick<GoldenModel, "folder" | "open">) {
  const { vision } = requireCheckpoints(await readModelFolder(tinyModel.folder));
  const config = visionConfiguration(vision.config, json(vision.config));
  const opened = await tinyModel.open();
  const reads: string[] = [];
  const openVision = async (): Promise<Checkpoint> => {
    const file = await openCheckpoint(vision.weights);
    return {
      ...file,
      read(name, into, options) {
        reads.push(name);
        return file.read(name, into, options);
      },
    };
  };
  const features = createFeatures(opened.runner.runtime, config, readFrom(openVision, opened.runner.weights));
  return { features, reads, config, file: vision.weights, close: () => opened.close() };
}

test.each(tinyModelsWith("inputs.safetensors", "features of its images"))(
  "features of images are those of the model's function: $name",
  async (tinyModel) => {
    const { features, config, file, close } = await ofTinyModel(tinyModel);
    const inputs = await tinyModel.goldenTensors("inputs.safetensors");
    const images = [...inputs].filter(([name]) => name.startsWith("pixels."));
    expect(images.length).toBeGreaterThan(0);
    let largest = 0;
    const weights = [...(await tensorsOf(file))].map(([name, { shape, data }]) => {
      return [name, { shape, data: Array.from(data) }] as const;
    });
    for (const [, { shape, data }] of images) {
      const pixels = host({ shape: [1, ...shape], data: Array.from(data) }, "float32");
      const { expected } = await backend.evaluate(
        { pixels },
        ({ pixels }, graph) => ({
          expected: imageFeatures(params(graph), pixels!, config.vit, config.featureWidth()),
        }),
        Object.fromEntries(weights),
      );
      const found = { shape: expected!.shape, data: Array.from(await features.ofImage(data)) };
      largest = Math.max(largest, difference(found, expected!));
    }
    console.log(`${tinyModel.name}, ${images.length} images: ${largest.toExponential(1)}`);
    expect(largest).toBeLessThan(1e-6);
    await close();
  },
);

const tinyModels9b = tinyModel9bWith("inputs.safetensors", "loading of its CLIP");

/** An image of a model, a text that ends, and another one. */
function inputsOf(config: VisionConfiguration) {
  const end = config.text().vocabulary - 1;
  return {
    pixels: new Float32Array(3 * config.vit.imageSize ** 2).fill(0.5),
    text: [1, 2, end],
    otherText: [1, end],
  };
}

describe.each(tinyModels9b)("loading at first use: $name", (golden) => {
  test("reads what the vision encoder's weights lack, once, and the text tower only for texts", async () => {
    const { features, reads, config, close } = await ofTinyModel(golden);
    const { pixels, text, otherText } = inputsOf(config);
    expect(reads).toEqual([]);
    const [first, second] = await Promise.all([features.ofImage(pixels), features.ofImage(pixels)]);
    expect(first).toEqual(second);
    expect([...reads].sort()).toEqual(["visual.ln_post.bias", "visual.ln_post.weight", "visual.proj"]);

    reads.length = 0;
    await features.ofText(text);
    expect(reads).toContain("token_embedding.weight");
    expect(reads.filter((name) => name.startsWith("visual."))).toEqual([]);
    expect(new Set(reads).size).toBe(reads.length);

    reads.length = 0;
    await features.ofText(otherText);
    await features.ofImage(pixels);
    expect(reads).toEqual([]);
    await close();
  });

  test("a signal that is aborted already stops before it", async () => {
    const { features, reads, config, close } = await ofTinyModel(golden);
    const { text } = inputsOf(config);
    const signal = AbortSignal.abort(new Error("enough"));
    await expect(features.ofText(text, { signal })).rejects.toThrow("enough");
    expect(reads).toEqual([]);
    await close();
  });

  test("is tried again where it failed", async () => {
    const { vision } = requireCheckpoints(await readModelFolder(golden.folder));
    const config = visionConfiguration(vision.config, json(vision.config));
    const { pixels } = inputsOf(config);
    let tries = 0;
    const open = async () => {
      if (tries++ === 0) throw new Error("the disk is away");
      return openCheckpoint(vision.weights);
    };
    const features = createFeatures(backend.runtime, config, readFrom(open));
    await expect(features.ofImage(pixels)).rejects.toThrow("the disk is away");
    expect(await features.ofImage(pixels)).toHaveLength(config.featureWidth());
  });
});

describe.each(tinyModels9b)("a checkpoint that is not the whole of CLIP is rejected: $name", (golden) => {
  test.each([
    ["text", /^visual\./, ["token_embedding.weight", "positional_embedding"]],
    ["vision", /^visual\.(?!proj$)|^\w*_/, ["visual.proj"]],
  ] as const)("without what the %s tower needs", async (tower, kept, missing) => {
    const { vision } = requireCheckpoints(await readModelFolder(golden.folder));
    const tensors = [...(await tensorsOf(vision.weights))].filter(([name]) => kept.test(name));
    const file = join(folder, `without-${tower}.safetensors`);
    writeFileSync(file, safetensors(new Map(tensors)));
    const { pixels, text } = inputsOf(visionConfiguration(vision.config, json(vision.config)));
    const features = ofClip(json(vision.config).model_cfg, file);
    const rejected = tower === "text" ? features.ofText(text) : features.ofImage(pixels);
    await expect(rejected).rejects.toMatchObject({
      code: "checkpoint-mismatch",
      hint: expect.stringContaining("whole of CLIP"),
    });
    for (const name of missing) await expect(rejected).rejects.toThrow(`"${name}"`);
  });

  test("and a text tower with more blocks than its configuration says", async () => {
    const { vision } = requireCheckpoints(await readModelFolder(golden.folder));
    const { model_cfg } = json(vision.config);
    const { layers } = model_cfg.text_cfg;
    const { text } = inputsOf(visionConfiguration(vision.config, json(vision.config)));
    const [first, another] = ["transformer.resblocks.0.", `transformer.resblocks.${layers}.`];
    const tensors = await tensorsOf(vision.weights);
    for (const [name, tensor] of [...tensors]) {
      if (name.startsWith(first)) tensors.set(name.replace(first, another), tensor);
    }
    const file = join(folder, "more-blocks.safetensors");
    writeFileSync(file, safetensors(tensors));
    const features = ofClip(model_cfg, file);
    await expect(features.ofText(text)).rejects.toMatchObject({
      code: "checkpoint-mismatch",
      message: expect.stringContaining(another),
    });
  });
});
