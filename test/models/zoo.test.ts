/**
 * The released models ask for exactly the tensors that their files have, by name and by shape: goldens/README.md,
 * `checkpoints/`. The graphs are made at full size, without weights.
 */
import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { describe, expect } from "vitest";
import type { Checkpoint, TensorInfo } from "../../src/checkpoints/checkpoint.js";
import { type ReleasedModel, zoo } from "../../src/models/zoo.js";
import { compile } from "../../src/onnx/compile.js";
import { decodeGraph, encodeGraph } from "../../src/runner/graphs.js";
import { findWeights } from "../../src/weights/loadWeights.js";
import { golden, goldenTest } from "../goldens.js";
import { compared } from "../parity.js";

type Tensors = Readonly<Record<string, readonly [shape: readonly number[], dtype: string]>>;

interface File {
  readonly tensors: Tensors;
  /** Buffers that some versions of the reference implementation's libraries write. */
  readonly may_contain: Tensors;
}

interface Released {
  readonly cross_attn_every_n_layers: number;
  readonly trained_checkpoint: File;
  readonly language_model_hub: File;
}

const read = <T>(path: string): T => JSON.parse(gunzipSync(readFileSync(golden(path))).toString()) as T;

/** A checkpoint whose numbers are not there. */
const namesOf = (name: string, tensors: Tensors): Checkpoint => ({
  name,
  tensors: new Map(
    Object.entries(tensors).map(([tensor, [shape]]): [string, TensorInfo] => [
      tensor,
      { dtype: "float32", shape },
    ]),
  ),
  read: () => Promise.reject(new Error("no numbers")),
  close: async () => {},
  [Symbol.asyncDispose]: async () => {},
});

const vitL14 = "checkpoints/clip-ViT-L-14-openai.json.gz";
/** Its list gives shapes alone. OpenAI's own file also holds three sizes: `not_certain` there. */
function clipTensors(): Tensors {
  const { tensors } = read<{ tensors: Record<string, number[]> }>(vitL14);
  const sizes = { input_resolution: [], context_length: [], vocab_size: [] };
  const all = Object.entries({ ...tensors, ...sizes });
  return Object.fromEntries(all.map(([name, shape]) => [name, [shape, "float32"]]));
}

const pathOf = ({ name }: ReleasedModel) => `checkpoints/${name.replace("openflamingo/", "")}.json.gz`;

const usesOf = ({ config }: ReleasedModel) =>
  [encodeGraph(config), decodeGraph(config)].flatMap((graph) => compile(graph).weights);

describe.each(zoo)("$name", (model) => {
  const { language, crossAttentionEvery } = model.config;

  goldenTest(pathOf(model), "its files have every tensor that it asks for, and no other", () => {
    const files = read<Released>(pathOf(model));
    const vision = namesOf("clip", clipTensors());
    const uses = usesOf(model);
    for (const withBuffers of [false, true]) {
      const tensorsOf = ({ tensors, may_contain }: File) => ({
        ...tensors,
        ...(withBuffers ? may_contain : {}),
      });
      const trained = tensorsOf(files.trained_checkpoint);
      const checkpoints = {
        vision,
        language: namesOf("language model", tensorsOf(files.language_model_hub)),
        flamingo: namesOf("trained file", trained),
      };
      const found = findWeights(uses, checkpoints, language);
      compared(`checkpoints/names and shapes/${model.name}`, { cases: 1, values: found.size });
      const ofTrained = [...found.values()].filter(({ checkpoint }) => checkpoint === checkpoints.flamingo);
      expect(ofTrained).toHaveLength(Object.keys(files.trained_checkpoint.tensors).length);
      for (const { name, shape } of ofTrained) expect(shape, name).toEqual(trained[name]![0]);
    }
    expect(crossAttentionEvery).toBe(files.cross_attn_every_n_layers);
  });
});

goldenTest(
  pathOf(zoo.at(-1)!),
  "a released model with another interval is rejected by the names that differ",
  () => {
    const model = zoo.at(-1)!;
    const files = read<Released>(pathOf(model));
    const every = files.cross_attn_every_n_layers;
    const uses = usesOf({ ...model, config: { ...model.config, crossAttentionEvery: 2 * every } });
    const checkpoints = {
      vision: namesOf("clip", clipTensors()),
      language: namesOf("language model", files.language_model_hub.tensors),
      flamingo: namesOf("trained file", files.trained_checkpoint.tensors),
    };
    expect(() => findWeights(uses, checkpoints, model.config.language)).toThrow(
      `lang_encoder.transformer.blocks.${every - 1}.gated_cross_attn_layer`,
    );
  },
);
