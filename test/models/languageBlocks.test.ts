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
import { golden } from "../goldens.js";
import { array, at, host, type Plain } from "../graph/arrays.js";
import { useBackend } from "../graph/evaluate.js";
import { compared } from "../parity.js";
import { compare, moduleFile } from "./moduleFile.js";

const backend = useBackend();
const float32 = (x: Plain) => host(x, "float32");
const int32 = (x: Plain) => host(x, "int32");

const rest = { layers: 1, vocabulary: 1, contextLength: 16 };
const ofMpt = { ...rest, hiddenSize: 24, mlpRatio: 4, alibiMax: 8 };
const ofNeox = { ...rest, hiddenSize: 32, heads: 2, mlpRatio: 4, rotaryBase: 10_000, parallel: false };

interface Block {
  readonly file: string;
  readonly model: LanguageModel;
  readonly headDim: number;
}

const blocks: readonly Block[] = [
  { file: "mpt_block", model: mpt({ ...ofMpt, heads: 4 }), headDim: 6 },
  { file: "mosaic_gpt_block", model: mosaicGpt({ ...ofMpt, heads: 6, queryKeyNorm: true }), headDim: 4 },
  {
    file: "gpt_neox_block_parallel",
    model: gptNeox({ ...ofNeox, rotaryDim: 4, parallel: true }),
    headDim: 16,
  },
  { file: "gpt_neox_block_sequential", model: gptNeox({ ...ofNeox, rotaryDim: 16 }), headDim: 16 },
  { file: "gpt_neox_block_sequential_half_rotary", model: gptNeox({ ...ofNeox, rotaryDim: 8 }), headDim: 16 },
];

const rows = 2;
/** Positions of keys, counted from `first`. */
const positions = (total: number, first = 0) => array([rows, total], (_, i) => first + i!);

/** The block over a whole text; `hidden` says which keys are padding. */
async function whole(
  model: LanguageModel,
  weights: Readonly<Record<string, Plain>>,
  x: Plain,
  { first = 0, hidden = (_row: number, _key: number): boolean => false } = {},
): Promise<Plain> {
  const t = x.shape[1]!;
  const given = {
    x: float32(x),
    position: float32(positions(t, first)),
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

describe.each(blocks)("$file", ({ file, model, headDim }) => {
  test("y", async () => {
    const { weights, inputs, outputs } = await moduleFile(file);
    compare(file, "y", await whole(model, weights, inputs.x!), outputs.y!);
  });

  test("key, value and y_step, by a cache", async () => {
    const { weights, inputs, outputs } = await moduleFile(file);
    const empty = array([rows, model.heads, 8, model.headDim], () => 7);
    /** New tokens from cache position `start` on. */
    const run = (x: Plain, start: number, keys: Plain, values: Plain) => {
      const t = x.shape[1]!;
      const given = {
        x: float32(x),
        position: float32(positions(start + t)),
        mask: float32(array([rows, t, start + t], () => 0)),
        start: int32({ shape: [rows], data: [start, start] }),
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
    compare(file, "y by a cache", prompt.y!, outputs.y!);
    const step = await run(inputs.step!, 7, prompt.presentKeys!, prompt.presentValues!);
    compare(file, "y_step", step.y!, outputs.y_step!);

    const used = (cache: Plain) => array([rows, model.heads, 7, headDim], (...index) => at(cache, ...index));
    /** The 1B model's code keeps heads side by side. */
    const apart = (of: Plain) =>
      of.shape.length === 4
        ? of
        : array([rows, model.heads, 7, headDim], (b, h, t, e) => at(of, b!, t!, h! * headDim + e!));
    compare(file, "key", used(prompt.presentKeys!), apart(outputs.key!));
    compare(file, "value", used(prompt.presentValues!), apart(outputs.value!));
  });
});

test("MPT with padding at the left: what stands after it is the reference implementation's", async () => {
  const { weights, inputs, outputs } = await moduleFile("mpt_block");
  const y = await whole(blocks[0]!.model, weights, inputs.x!, { hidden: (row, key) => row === 1 && key < 2 });
  const kept = (of: Plain) =>
    array(of.shape, (row, i, d) => (row === 1 && i! < 2 ? 0 : at(of, row!, i!, d!)));
  compare("mpt_block", "y_left_padded", kept(y), kept(outputs.y_left_padded!));
});

test.each(blocks.filter(({ file }) => file.startsWith("gpt_neox")))(
  "$file counted from position 5",
  async ({ file, model }) => {
    const { weights, inputs, outputs } = await moduleFile(file);
    const y = await whole(model, weights, inputs.x!, { first: 5 });
    compare(file, "y_positions_from_5", y, outputs.y_positions_from_5!);
  },
);

test("ALiBi's slopes for every number of heads", () => {
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

test("the bias of a number of heads that is no power of two", async () => {
  const { outputs } = await moduleFile("mosaic_gpt_block");
  const slopes = alibiSlopes(6, 8);
  // The reference implementation counts distances from the last key.
  const bias = array([6, 16], (head, key) => slopes[head!]! * (key! - 15));
  compare("mosaic_gpt_block", "alibi", bias, outputs.alibi!);
});
