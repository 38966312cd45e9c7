/** Gated cross-attention begins as the linear connectors that were learnt before it. */
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import {
  connectorsStart,
  emptyDirection,
  removeDirection,
} from "../../../../recipes/tiny/towers/connectorsStart.js";
import {
  type LinearConnectorsConfig,
  linearLogitsGraph,
  namesOfBlock,
} from "../../../../recipes/tiny/towers/linearConnectors.js";
import { compiledTower } from "../../../../recipes/tiny/towers/openTower.js";
import { readTensors } from "../../../../recipes/tiny/towers/readTensors.js";
import { standardized } from "../../../../recipes/tiny/towers/standardized.js";
import { wordlessDirection } from "../../../../recipes/tiny/towers/wordlessDirection.js";
import { languageFiles } from "../../../../recipes/tiny/towers/writeTowers.js";
import { bundledModel } from "../../../../src/api/bundledModel.node.js";
import { readConfigs } from "../../../../src/api/configs.js";
import { node } from "../../../../src/api/platform.node.js";
import { randomStream } from "../../../../src/base/random.js";
import { readModelFolder } from "../../../../src/checkpoints/modelFolder.node.js";
import { createGraph, type Graph, input, output } from "../../../../src/graph/index.js";
import { trainedParameters } from "../../../../src/learn/gradients.js";
import { initialValues } from "../../../../src/learn/initialValues.js";
import { wholeRows } from "../../../../src/learn/wholeRows.js";
import { projectMedia } from "../../../../src/models/crossAttention.js";
import { decode, gatedBlocks } from "../../../../src/models/flamingo.js";
import { perceiver } from "../../../../src/models/perceiver.js";
import type { HostTensor } from "../../../../src/runtime/hostTensor.js";
import { openOrtFfi } from "../../../../src/runtime/ortFfi.node.js";

const folder = bundledModel();
const { config } = await readConfigs(node, await readModelFolder(folder, undefined), undefined);
const [d, w] = [config.vision.hiddenSize, config.language.hiddenSize];
const { latents } = config.perceiver;
const language = await readTensors(join(folder, "lang", languageFiles.weights));
const embedding = language.get(config.language.embedding)!;
const image = embedding.shape[0]! - 2;

const linear: LinearConnectorsConfig = {
  language: config.language,
  blocks: gatedBlocks(config),
  visionWidth: d,
  maps: 4,
  latents,
};
const { normal } = randomStream(1, "maps");
const random = (lane: number, shape: readonly number[], deviation: number, mean = 0) => ({
  shape,
  data: Float32Array.from(
    { length: shape.reduce((a, b) => a * b, 1) },
    (_, i) => mean + deviation * normal(i, lane),
  ),
});
const maps = new Map(
  Array.from({ length: config.language.layers }, (_, i) => {
    const names = namesOfBlock(i);
    return [
      [names.weight, random(4 * i, [w], 0.1, 1)],
      [names.bias, random(4 * i + 1, [w], 0.1)],
      [names.gates, random(4 * i + 2, [4, w], 0.4)],
      [names.maps, random(4 * i + 3, [4 * w, d], 0.05)],
    ] as const;
  }).flat(),
);
const start = await connectorsStart(config, { maps, embedding }, 1);
const empty = emptyDirection(d, 1);

const runtime = await openOrtFfi();
afterAll(() => runtime.close());

const float = (shape: readonly number[], data: Float32Array): HostTensor => ({
  dtype: "float32",
  shape,
  data,
});
const int = (shape: readonly number[], data: readonly number[]): HostTensor => ({
  ...{ dtype: "int32", shape },
  data: Int32Array.from(data),
});

/** Runs a graph over the parameters, whatever their prefix, that it asks for. */
async function run(graph: Graph, feeds: Readonly<Record<string, HostTensor>>) {
  const session = await runtime.load(compiledTower(graph), { threads: 1 });
  try {
    const asked = [...graph.inputs.keys()].filter((name) => !(name in feeds));
    const parameters = asked.map((name) => {
      const tensor = start.get(name) ?? maps.get(name) ?? language.get(name.replace(/^lang_encoder\./, ""))!;
      return [name, float(tensor.shape, tensor.data)] as const;
    });
    return await session.run({ ...Object.fromEntries(parameters), ...feeds } as never);
  } finally {
    await session.close();
  }
}

/** As the resampler's norm gives it, without anything of the empty direction. */
function vector(lane: number): Float32Array {
  const x = Float32Array.from({ length: d }, (_, i) => normal(i, 100 + lane));
  removeDirection(x, empty);
  return standardized(x);
}

test("over an empty latent and others that are all alike, gated cross-attention is the linear connectors", async () => {
  const ids = [5, image, 272, 27, 66, image, 300, 41, 12, 700];
  const t = ids.length;
  const vectors = [vector(0), vector(1)];
  const seen = [0, 1, 1, 1, 1, 2, 2, 2, 2, 2];
  const expected = await run(linearLogitsGraph(linear), {
    ids: int([1, t], ids),
    images: float([3, d], Float32Array.from([...new Float32Array(d), ...vectors.flatMap((x) => [...x])])),
    image_of: int([1, t], seen),
  });

  const graph = createGraph("decode");
  const { p } = trainedParameters(graph);
  const given = input(graph, "ids", "int32", [1, t]);
  const shown = input(graph, "latents", "float32", [2, latents, d]);
  const blocks = p.at("lang_encoder").at(config.language.blocks);
  const media = gatedBlocks(config).map((i) =>
    projectMedia(blocks.at(i).at("gated_cross_attn_layer"), shown, config.crossAttention),
  );
  const { logits } = decode(
    p,
    {
      ...{ ids: given, encodedImages: media, imageIds: input(graph, "imageIds", "int32", [1, 2]) },
      ...{ imageIndex: input(graph, "imageIndex", "int32", [1, t]), ...wholeRows(given) },
    },
    config,
  );
  output(graph, "logits", logits);
  const ofEmpty = empty.map((value) => value * Math.sqrt(d));
  const all = Float32Array.from(
    vectors.flatMap((x) => [...ofEmpty, ...Array.from({ length: latents - 1 }, () => [...x]).flat()]),
  );
  const gated = await run(graph, {
    ids: int([1, t], ids),
    latents: float([2, latents, d], all),
    imageIds: int([1, 2], [0, 1]),
    imageIndex: int(
      [1, t],
      seen.map((each) => each - 1),
    ),
  });
  const [a, b] = [expected.logits!.data as Float32Array, gated.logits!.data as Float32Array];
  expect(Math.max(...a.map(Math.abs))).toBeGreaterThan(3);
  const furthest = a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), 0);
  expect(furthest).toBeLessThan(2e-3);
});

test("the resampler gives an empty latent, and others that are all about the mean of the patches", async () => {
  const v = 64;
  const patches = Float32Array.from({ length: v * d }, (_, i) => normal(i, 200) + (i % d < 9 ? 2 : 0));
  const graph = createGraph("resampler");
  const { p } = trainedParameters(graph);
  const tokens = input(graph, "patches", "float32", [1, 1, 1, v, d]);
  output(graph, "latents", perceiver(p.at("perceiver"), tokens, config.perceiver));
  const given = (await run(graph, { patches: float([1, 1, 1, v, d], patches) })).latents!
    .data as Float32Array;
  const sum = new Float32Array(d);
  for (let at = 0; at < patches.length; at += d) {
    for (const [i, value] of standardized(patches.subarray(at, at + d)).entries()) sum[i]! += value;
  }
  removeDirection(sum, empty);
  const alike = (a: Float32Array, b: Float32Array) =>
    a.reduce((all, value, i) => all + value * b[i]!, 0) / (Math.hypot(...a) * Math.hypot(...b));
  expect(alike(given.subarray(0, d), empty)).toBeGreaterThan(0.999);
  const others = new Float32Array(d);
  for (let i = d; i < given.length; i++) others[i % d]! += given[i]!;
  expect(Math.abs(alike(others, empty))).toBeLessThan(1e-4);
  expect(alike(others, sum)).toBeGreaterThan(0.99999);
});

test("the direction of <image> is one that words have little of", () => {
  const direction = wordlessDirection(embedding, image);
  const [n] = embedding.shape as [number];
  const most = (some: Float32Array) =>
    Math.max(
      ...Array.from({ length: n }, (_, row) => {
        if (row === image) return 0;
        const word = standardized(embedding.data.subarray(row * w, (row + 1) * w));
        return Math.abs(word.reduce((sum, value, i) => sum + value * some[i]!, 0));
      }),
    );
  expect(Math.hypot(...direction)).toBeCloseTo(1, 5);
  expect(direction.reduce((sum, value) => sum + value, 0)).toBeCloseTo(0, 5);
  const other = standardized(Float32Array.from({ length: w }, (_, i) => normal(i, 300)));
  expect(most(direction)).toBeLessThan(most(other.map((value) => value / Math.sqrt(w))));
});

test("what else there is begins as it does from scratch, and all gates of attention are open", () => {
  const name = `lang_encoder.${config.language.blocks}.1.gated_cross_attn_layer.ff.1.weight`;
  const { shape, data } = start.get(name)!;
  expect(data).toEqual(initialValues(name, shape, 1));
  const gates = [...start].filter(([name]) => name.endsWith("_gate"));
  expect(gates.length).toBe(2 * config.language.layers);
  for (const [name, { data }] of gates) expect(data[0], name).toBe(name.endsWith("attn_gate") ? 0.5 : 0);
});

test("patches whose width does not fit into the heads are named", async () => {
  const wider = { ...config, vision: { ...config.vision, hiddenSize: 96 } };
  await expect(connectorsStart(wider, { maps, embedding }, 1)).rejects.toThrow(
    "patches 96 wide do not fit evenly into 8 heads of 64",
  );
});
