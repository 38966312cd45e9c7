/**
 * The blocks of the language models beside the reference implementation's, from the same weights, with and without a
 * cache: goldens/README.md, `modules/`.
 */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { MASK_VALUE, type Tensor } from "../../src/graph/index.js";
import { alibiSlopes } from "../../src/models/alibi.js";
import { gptNeox } from "../../src/models/gptNeox.js";
import type { LanguageModel } from "../../src/models/language.js";
import { params } from "../../src/models/layers.js";
import { mosaicGpt } from "../../src/models/mosaicGpt.js";
import { mpt } from "../../src/models/mpt.js";
import { selfAttention } from "../../src/models/selfAttention.js";
import { golden, goldenTest } from "../goldens.js";
import { array, at, host, type Plain } from "../graph/arrays.js";
import { useBackend } from "../graph/evaluate.js";
import { compared } from "../parity.js";
import { compare, type Module, moduleFile, modulesOf } from "./moduleFile.js";

const backend = useBackend();
const float32 = (x: Plain) => host(x, "float32");
const int32 = (x: Plain) => host(x, "int32");

interface MptSettings {
  readonly d_model: number;
  readonly n_heads: number;
  /** By this name in MPT, by the other in MosaicGPT. */
  readonly expansion_ratio?: number;
  readonly mlp_ratio?: number;
  readonly alibi_bias_max: number;
  readonly attn_qk_ln?: boolean;
}

interface NeoxSettings {
  readonly hidden_size: number;
  readonly num_attention_heads: number;
  readonly intermediate_size: number;
  readonly rotary_pct: number;
  readonly rotary_emb_base: number;
  readonly use_parallel_residual: boolean;
}

interface Block {
  readonly name: string;
  readonly file: string;
  readonly model: LanguageModel;
  readonly headDim: number;
}

/** Of a whole model, which a block by itself does not ask for. */
const rest = { layers: 1, vocabulary: 1, contextLength: 1 };

const ofMpt = (config: MptSettings) => ({
  ...rest,
  hiddenSize: config.d_model,
  heads: config.n_heads,
  mlpRatio: (config.expansion_ratio ?? config.mlp_ratio)!,
  alibiMax: config.alibi_bias_max,
  queryKeyNorm: config.attn_qk_ln ?? false,
});

const ofNeox = (config: NeoxSettings) => ({
  ...rest,
  hiddenSize: config.hidden_size,
  heads: config.num_attention_heads,
  mlpRatio: config.intermediate_size / config.hidden_size,
  rotaryDim: Math.floor((config.hidden_size / config.num_attention_heads) * config.rotary_pct),
  rotaryBase: config.rotary_emb_base,
  parallel: config.use_parallel_residual,
});

const mptModules = modulesOf<MptSettings>("mpt_block");
const mosaicModules = modulesOf<MptSettings>("mosaic_gpt_block");
const neoxModules = modulesOf<NeoxSettings>("gpt_neox_block");

const blockOf = <C extends object>(
  { name, file, config }: Module<C>,
  model: LanguageModel,
  [hiddenSize, heads]: readonly [keyof C, keyof C],
): Block => ({ name, file, model, headDim: Number(config[hiddenSize]) / Number(config[heads]) });

const mptBlocks = mptModules.map((each) => blockOf(each, mpt(ofMpt(each.config)), ["d_model", "n_heads"]));
const mosaicBlocks = mosaicModules.map((each) =>
  blockOf(each, mosaicGpt(ofMpt(each.config)), ["d_model", "n_heads"]),
);
const neoxBlocks = neoxModules.map((each) =>
  blockOf(each, gptNeox(ofNeox(each.config)), ["hidden_size", "num_attention_heads"]),
);

/** Positions of keys, counted from `first`. */
const positions = (rows: number, total: number, first = 0) => array([rows, total], (_, i) => first + i!);

/** The block over a whole text; `hidden` says which keys are padding. */
async function whole(
  model: LanguageModel,
  weights: Readonly<Record<string, Plain>>,
  x: Plain,
  { first = 0, hidden = (_row: number, _key: number): boolean => false } = {},
): Promise<Plain> {
  const [rows, t] = x.shape as [number, number];
  const given = {
    x: float32(x),
    position: float32(positions(rows, t, first)),
    mask: float32(array([rows, t, t], (row, i, j) => (j! > i! || hidden(row!, j!) ? MASK_VALUE : 0))),
  };
  const { y } = await backend.evaluate(
    given,
    ({ x, position, mask }, graph) => {
      const attendIn = selfAttention(model, { position: position!, mask: mask! }, t);
      return { y: model.block(params(graph), x!, attendIn(0)).y };
    },
    weights,
  );
  return y!;
}

describe.each([...mptBlocks, ...mosaicBlocks, ...neoxBlocks])("$name", ({ name, file, model, headDim }) => {
  test("y", async () => {
    const { weights, inputs, outputs } = await moduleFile(file);
    compare(name, "y", await whole(model, weights, inputs.x!), outputs.y!);
  });

  test("key, value and y_step, by a cache", async () => {
    const { weights, inputs, outputs } = await moduleFile(file);
    const [rows, known] = inputs.x!.shape as [number, number];
    const capacity = known + inputs.step!.shape[1]!;
    const empty = array([rows, model.heads, capacity, model.headDim], () => 7);
    /** New tokens from cache position `start` on. */
    const run = (x: Plain, start: number, keys: Plain, values: Plain) => {
      const t = x.shape[1]!;
      const given = {
        x: float32(x),
        position: float32(positions(rows, start + t)),
        mask: float32(array([rows, t, start + t], () => 0)),
        start: int32(array([rows], () => start)),
        keys: float32(keys),
        values: float32(values),
      };
      const write = (of: Readonly<Record<string, Tensor>>) => {
        const cache = { past: [{ keys: of.keys!, values: of.values! }], start: of.start! };
        const attendIn = selfAttention(model, { position: of.position!, mask: of.mask!, cache }, t);
        const { y, present } = model.block(params(of.x!.node.graph), of.x!, attendIn(0));
        return { y, presentKeys: present!.keys, presentValues: present!.values };
      };
      return backend.evaluate(given, write, weights);
    };
    const prompt = await run(inputs.x!, 0, empty, empty);
    compare(name, "y by a cache", prompt.y!, outputs.y!);
    const step = await run(inputs.step!, known, prompt.presentKeys!, prompt.presentValues!);
    compare(name, "y_step", step.y!, outputs.y_step!);

    const used = (cache: Plain) =>
      array([rows, model.heads, known, headDim], (...index) => at(cache, ...index));
    /** The 1B model's code keeps heads side by side. */
    const apart = (of: Plain) =>
      of.shape.length === 4
        ? of
        : array([rows, model.heads, known, headDim], (b, h, t, e) => at(of, b!, t!, h! * headDim + e!));
    compare(name, "key", used(prompt.presentKeys!), apart(outputs.key!));
    compare(name, "value", used(prompt.presentValues!), apart(outputs.value!));
  });
});

/** How many tokens of row 1 are padding in `y_left_padded`: the index's note. */
const padding = 2;

test.each(mptBlocks)("$name with padding at the left", async ({ name, file, model }) => {
  const { weights, inputs, outputs } = await moduleFile(file);
  const isPadding = (row: number, token: number) => row === 1 && token < padding;
  const y = await whole(model, weights, inputs.x!, { hidden: isPadding });
  const kept = (of: Plain) =>
    array(of.shape, (row, i, d) => (isPadding(row!, i!) ? 0 : at(of, row!, i!, d!)));
  compare(name, "y_left_padded", kept(y), kept(outputs.y_left_padded!));
});

test.each(neoxBlocks)("$name counted from position 5", async ({ name, file, model }) => {
  const { weights, inputs, outputs } = await moduleFile(file);
  const y = await whole(model, weights, inputs.x!, { first: 5 });
  compare(name, "y_positions_from_5", y, outputs.y_positions_from_5!);
});

goldenTest("modules/alibi.json", "ALiBi's slopes for every number of heads", () => {
  const { slopes, alibi_bias_max } = JSON.parse(readFileSync(golden("modules/alibi.json"), "utf8")) as {
    slopes: Record<string, number[]>;
    alibi_bias_max: number;
  };
  compared("modules/alibi", {
    cases: Object.keys(slopes).length,
    values: Object.values(slopes).flat().length,
  });
  for (const [heads, expected] of Object.entries(slopes)) {
    expect(alibiSlopes(Number(heads), alibi_bias_max).map(Math.fround), `${heads} heads`).toEqual(expected);
  }
});

test.each(mosaicModules)("the bias of $name", async ({ name, file, config }) => {
  const { alibi } = (await moduleFile(file)).outputs;
  const slopes = alibiSlopes(config.n_heads, config.alibi_bias_max);
  // The reference implementation counts distances from the last key.
  const bias = array(alibi!.shape, (head, key) => slopes[head!]! * (key! - (alibi!.shape[1]! - 1)));
  compare(name, "alibi", bias, alibi!);
});
