/**
 * The gradient of the training loss, written with the models' own functions, with respect to every trainable parameter of
 * the 9b tiny model, beside the reference implementation's: goldens/README.md, `golden/training`. The loss is that of batch 0: LAION's and MMC4's
 * cross-entropy, added.
 */
import { describe, expect, test } from "vitest";
import {
  add,
  createGraph,
  grad,
  input,
  MASK_VALUE,
  output,
  reshape,
  type Tensor,
} from "../../src/graph/index.js";
import { decode, encode } from "../../src/models/flamingo.js";
import { params } from "../../src/models/layers.js";
import { nextTokenLoss } from "../../src/models/loss.js";
import { compile } from "../../src/onnx/compile.js";
import { imageIndexOf } from "../../src/runner/imageIndex.js";
import type { HostTensor } from "../../src/runtime/hostTensor.js";
import { loadWeights } from "../../src/weights/loadWeights.js";
import { hasGolden } from "../goldens.js";
import { compared } from "../parity.js";
import type { PlainTensor } from "../tensors.js";
import { type GoldenModel, largestDifference, tinyModel9bWith } from "../tinyModel.js";

interface Training {
  readonly trainable_parameters: readonly string[];
  readonly embedding: { readonly name: string; readonly rows_with_gradient_after_mask: readonly number[] };
  readonly losses_of_the_four_batches_at_the_start: { readonly laion: number[]; readonly mmc4: number[] };
  readonly pictures_of_batches: readonly {
    readonly laion: string[];
    readonly mmc4: string[][];
    readonly mmc4_padded_to: number;
  }[];
}
interface Batches {
  readonly batches: ReadonlyMap<string, PlainTensor>;
  readonly inputs: ReadonlyMap<string, PlainTensor>;
  /** Pixels a side of an image. */
  readonly side: number;
  readonly imageToken: number;
}

/** One half of the batch: rows of text with `images` images each, those that are missing being zeros. */
function feedsOf(
  { batches, inputs, side, imageToken }: Batches,
  half: "laion" | "mmc4",
  rows: readonly (readonly string[])[],
  images: number,
): Record<string, HostTensor> {
  const tokens = batches.get(`batch0.${half}.input_ids`)!;
  const [b, t] = tokens.shape as [number, number];
  const image = 3 * side * side;
  const pixels = new Float32Array(b * images * image);
  rows.forEach((names, row) => {
    names.forEach((name, i) => {
      pixels.set(inputs.get(`pixels.${name}`)!.data, (row * images + i) * image);
    });
  });
  const row = (i: number) => Array.from(tokens.data.subarray(i * t, (i + 1) * t));
  const imageIndex = Int32Array.from(rows.flatMap((_, i) => [...imageIndexOf(row(i), imageToken, images)]));
  const ahead = (i: number) => i % t > Math.floor(i / t) % t;
  const int32 = (shape: number[], data: ArrayLike<number>): HostTensor => ({
    dtype: "int32",
    shape,
    data: Int32Array.from(data),
  });
  const float32 = (shape: number[], data: Float32Array): HostTensor => ({ dtype: "float32", shape, data });
  return {
    [`${half}.pixels`]: float32([b * images, 3, side, side], pixels),
    [`${half}.ids`]: int32([b, t], tokens.data),
    [`${half}.labels`]: int32([b, t], batches.get(`batch0.${half}.labels`)!.data),
    [`${half}.imageIds`]: int32(
      [b, images],
      Int32Array.from({ length: b * images }, (_, i) => i),
    ),
    [`${half}.imageIndex`]: int32([b, t], imageIndex),
    [`${half}.position`]: float32(
      [b, t],
      Float32Array.from({ length: b * t }, (_, i) => i % t),
    ),
    [`${half}.mask`]: float32(
      [b, t, t],
      Float32Array.from({ length: b * t * t }, (_, i) => (ahead(i) ? MASK_VALUE : 0)),
    ),
  };
}

/** The program of a model's gradients with its weights and inputs: the same on every backend. */
async function makeProgram(tinyModel: GoldenModel) {
  const { ids } = tinyModel;
  const { config, checkpoints, close } = await tinyModel.model();
  const side = config.vision.imageSize;
  const training = tinyModel.goldenJson<Training>("training/training.json");
  const inputs = await tinyModel.goldenTensors("inputs.safetensors");
  const batches = await tinyModel.goldenTensors("training/batches.safetensors");
  const isWhole = hasGolden(`${tinyModel.name}/golden/training/gradients.safetensors`);
  const gradients = await tinyModel.goldenTensors(
    `training/gradients${isWhole ? "" : "-sampled"}.safetensors`,
  );
  const graph = createGraph("learn");
  const p = params(graph);
  const lossOf = (half: "laion" | "mmc4"): Tensor => {
    const of = (name: string, dtype: "int32" | "float32", shape: readonly (string | number)[]) =>
      input(
        graph,
        `${half}.${name}`,
        dtype,
        shape.map((dim) => (typeof dim === "string" ? `${half}_${dim}` : dim)),
      );
    const { media } = encode(p, of("pixels", "float32", ["N", 3, side, side]), config);
    const tokens = of("ids", "int32", ["b", "t"]);
    const { logits } = decode(
      p,
      {
        ids: tokens,
        encodedImages: media,
        imageIds: of("imageIds", "int32", ["b", "s"]),
        imageIndex: of("imageIndex", "int32", ["b", "t"]),
        position: of("position", "float32", ["b", "t"]),
        mask: of("mask", "float32", ["b", "t", "t"]),
      },
      config,
    );
    return nextTokenLoss(
      reshape(logits, { shape: [...tokens.shape, ids.size] }),
      of("labels", "int32", ["b", "t"]),
    );
  };
  const losses = { laion: lossOf("laion"), mmc4: lossOf("mmc4") };
  const names = training.trainable_parameters;
  const weights = names.map((name) => graph.weights.get(name)!);
  grad(add(losses.laion, losses.mmc4), weights).forEach((gradient, i) => {
    output(graph, `gradient of ${names[i]}`, gradient);
  });
  output(graph, "laion", losses.laion);
  output(graph, "mmc4", losses.mmc4);

  const { program, weights: uses } = compile(graph);
  const loaded = { ...program, weights: await loadWeights(uses, checkpoints, config.language) };
  await close();
  const [images] = training.pictures_of_batches;
  const given = { batches, inputs, side, imageToken: ids.image };
  const feeds = {
    ...feedsOf(
      given,
      "laion",
      images!.laion.map((name) => [name]),
      1,
    ),
    ...feedsOf(given, "mmc4", images!.mmc4, images!.mmc4_padded_to),
  };
  return { program: loaded, feeds, names, training, gradients, isWhole, width: config.language.hiddenSize };
}

const made = new Map<string, ReturnType<typeof makeProgram>>();
function programOf(tinyModel: GoldenModel): ReturnType<typeof makeProgram> {
  const known = made.get(tinyModel.name) ?? makeProgram(tinyModel);
  made.set(tinyModel.name, known);
  return known;
}

// The step's own program is compared for all tiny models, on both backends: train/gradients.test.ts.
describe.each(tinyModel9bWith("training/training.json", "gradients"))("$name on $backend", (tinyModel) => {
  const { backend } = tinyModel;
  test("every gradient is the reference implementation's, relative to the largest value of each", async () => {
    const { program, feeds, names, training, gradients, isWhole, width } = await programOf(tinyModel);
    await using runtime = await tinyModel.openRuntime();
    const session = await runtime.load(program);
    const outputs = await session.run(feeds);

    for (const half of ["laion", "mmc4"] as const) {
      const reference = training.losses_of_the_four_batches_at_the_start[half][0]!;
      const largest = Math.abs(Number(outputs[half]!.data[0]) - reference);
      const bound = 1e-5;
      compared(`gradients/loss/${tinyModel.name}`, { cases: 1, values: 1, largest, bound, backend });
      expect(largest, half).toBeLessThan(bound);
    }
    const bound = 1e-4;
    for (const name of names) {
      const ours = outputs[`gradient of ${name}`]!.data as Float32Array;
      // The reference implementation trains two rows of the embedding only: those of its own tokens.
      if (name === training.embedding.name) {
        keepRows(ours, width, training.embedding.rows_with_gradient_after_mask);
      }
      const { data } = gradients.get(name)!;
      const largest =
        largestDifference(isWhole ? ours : sampled(ours), data) /
        data.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
      const of = { largest, bound, unit: "relative", backend } as const;
      compared(`gradients/every parameter/${tinyModel.name}`, { cases: 1, values: data.length, ...of });
      expect(largest, name).toBeLessThan(bound);
    }
    expect(names.length).toBe(gradients.size);
  });
});

/** What a file of samples keeps of a tensor: `sampling` in training.json. */
const sampled = (values: Float32Array): Float32Array =>
  values.length <= 1024
    ? values
    : Float32Array.from({ length: 1024 }, (_, i) => values[Math.floor((i * values.length) / 1024)]!);

function keepRows(values: Float32Array, width: number, rows: readonly number[]): void {
  for (let i = 0; i < values.length; i++) if (!rows.includes(Math.floor(i / width))) values[i] = 0;
}
