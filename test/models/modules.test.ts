/**
 * The parts of the models beside the original's, from the same weights: goldens/README.md, `modules/`. The largest
 * difference of each output is printed. The goldens' own noise against double precision is about 1e-6 at values of
 * this size.
 */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { openCheckpoint } from "../../src/checkpoints/openCheckpoint.node.js";
import { attention, cachedAttention, masked, rearrange, type Tensor } from "../../src/graph/index.js";
import {
  gatedCrossAttention,
  type Media,
  maskedCrossAttention,
  mediaOf,
  type Sight,
  seesAll,
  seesNone,
  sightOf,
} from "../../src/models/crossAttention.js";
import type { Attend } from "../../src/models/language.js";
import { type Params, params } from "../../src/models/layers.js";
import { alibiSlopes, mpt } from "../../src/models/mpt.js";
import { perceiver } from "../../src/models/perceiver.js";
import { vitBlock } from "../../src/models/vit.js";
import { golden } from "../goldens.js";
import { array, at, difference, host, type Plain } from "../graph/arrays.js";
import { useEngine } from "../graph/evaluate.js";

const engine = useEngine();

/** A file of golden values: weights by their names in the module, inputs and outputs. */
async function moduleFile(name: string) {
  const parts = { weights: {}, input: {}, output: {} } as Record<string, Record<string, Plain>>;
  await using file = await openCheckpoint(golden(`modules/${name}.safetensors`));
  for (const [tensor, { shape }] of file.tensors) {
    const data = new Float32Array(shape.reduce((a, b) => a * b, 1));
    await file.read(tensor, data);
    const [part, ...rest] = tensor.split(".");
    parts[part!]![rest.join(".")] = { shape, data: Array.from(data) };
  }
  return { weights: parts.weights!, inputs: parts.input!, outputs: parts.output! };
}

/** Prints the largest difference of an output and asks that it be below 2e-6, relative to values above 1. */
function compare(what: string, found: Plain, expected: Plain): void {
  const off = difference(found, expected);
  console.log(`${what}: ${off.toExponential(1)}`);
  expect(off, what).toBeLessThan(2e-6);
}

const float32 = (x: Plain) => host(x, "float32");
const int32 = (x: Plain) => host(x, "int32");

test("Perceiver resampler: several pictures of several frames, and a single one", async () => {
  const { weights, inputs, outputs } = await moduleFile("perceiver_plain");
  const config = { depth: 2, heads: 2, headWidth: 8, latents: 5, multiple: 2 };
  const pairs = [
    ["x", "y"],
    ["x_single", "y_single"],
  ] as const;
  for (const [given, wanted] of pairs) {
    const write = ({ x }: Readonly<Record<string, Tensor>>) => ({
      y: perceiver(params(x!.node.graph), x!, config),
    });
    const { y } = await engine.evaluate({ x: float32(inputs[given]!) }, write, weights);
    compare(`perceiver ${wanted}`, y!, outputs[wanted]!);
  }
});

describe.each(["quickGelu", "gelu"] as const)("ViT block with %s", (activation) => {
  test("y", async () => {
    const name = activation === "gelu" ? "vit_block_gelu" : "vit_block_quick_gelu";
    const { weights, inputs, outputs } = await moduleFile(name);
    const { y } = await engine.evaluate(
      { x: float32(inputs.x!) },
      ({ x }, graph) => ({ y: vitBlock(params(graph), x!, { heads: 4, mlpRatio: 4, activation }) }),
      weights,
    );
    compare(name, y!, outputs.y!);
  });
});

describe("cross-attention", () => {
  const pictures = 3;
  const latents = 4;
  const config = { heads: 2, headWidth: 8, multiple: 3 };

  type Block = (p: Params, x: Tensor, media: Media, sight: Sight) => Tensor;
  const attentionAlone: Block = (p, x, media, sight) =>
    maskedCrossAttention(p.at("attn"), x, media, sight, config);
  const gated: Block = (p, x, media, sight) => gatedCrossAttention(p, x, media, sight, config);

  /** Opens a file; the parameters of an attention alone are put where a block has its attention. */
  async function open(name: string) {
    const file = await moduleFile(name);
    const { x, step, media, media_locations: locations } = file.inputs as Record<string, Plain>;
    const isBlock = "attn_gate" in file.weights;
    const weights = Object.fromEntries(
      Object.entries(file.weights).map(([key, value]) => [isBlock ? key : `attn.${key}`, value]),
    );
    /** Tokens at their places (in the words of `place`) through the block. */
    const run = async (block: Block, tokens: Plain, place: Plain, onlyImmediate: boolean): Promise<Plain> => {
      const given = { x: float32(tokens), place: int32(place), media: float32(media!) };
      const { y } = await engine.evaluate(
        given,
        (t, graph) => {
          const p = params(graph);
          const each = mediaOf(p, rearrange(t.media!, "b s n d -> (b s) n d"), config);
          const ofPrompts = (of: Tensor) => rearrange(of, "(b s) h n e -> b h (s n) e", { s: pictures });
          const media = { keys: ofPrompts(each.keys), values: ofPrompts(each.values) };
          return { y: block(p, t.x!, media, sightOf(t.place!, pictures, latents, { onlyImmediate })) };
        },
        weights,
      );
      return y!;
    };
    return { x: x!, step: step!, images: imagesUpTo(locations!), outputs: file.outputs, run };
  }

  /** How many `<image>`s there are up to and including each token. */
  const imagesUpTo = (locations: Plain): Plain =>
    array(locations.shape, (row, token) => {
      let images = 0;
      for (let i = 0; i <= token!; i++) images += at(locations, row!, i);
      return images;
    });

  /** The place of a token after so many `<image>`s. */
  const immediate = (images: number) => (images === 0 ? seesNone : images > pictures ? seesAll : images - 1);
  // In this mode a token before every picture looks at all latents alike, as the original does.
  const allPrevious = (images: number) => (images === 0 ? seesAll : Math.min(images, pictures) - 1);

  /** A place for each token of x. */
  const places = (x: Plain, place: (row: number, token: number) => number) =>
    array(x.shape.slice(0, 2), (row, token) => place(row!, token!));

  test.each([
    ["cross_attention_immediate", immediate, true],
    ["cross_attention_all_previous", allPrevious, false],
  ] as const)("%s", async (name, placeAfter, onlyImmediate) => {
    const { x, step, images, outputs, run } = await open(name);
    const ofRow = (row: number) => placeAfter(at(images, row, images.shape[1]! - 1));
    const cases = {
      y: [x, places(x, (row, token) => placeAfter(at(images, row, token))), onlyImmediate],
      y_no_places: [x, places(x, () => placeAfter(0)), onlyImmediate],
      y_cached: [step, places(step, ofRow), onlyImmediate],
      y_cached_no_places: [step, places(step, () => placeAfter(0)), onlyImmediate],
      // Without any mask: as if every token stood after the last picture and saw all before it.
      y_no_locations: [x, places(x, () => pictures - 1), false],
    } as const;
    for (const [output, [tokens, place, mode]] of Object.entries(cases)) {
      compare(`${name} ${output}`, await run(attentionAlone, tokens, place, mode), outputs[output]!);
    }
  });

  test("gated_cross_attention_block", async () => {
    const { x, step, images, outputs, run } = await open("gated_cross_attention_block");
    const own = places(x, (row, token) => immediate(at(images, row, token)));
    const last = places(step, (row) => immediate(at(images, row, images.shape[1]! - 1)));
    compare("gated block y", await run(gated, x, own, true), outputs.y!);
    compare("gated block y_cached", await run(gated, step, last, true), outputs.y_cached!);
  });

  test("a token alone gets what it gets among others", async () => {
    const { x, images, outputs, run } = await open("cross_attention_immediate");
    for (const token of [0, 4, 8]) {
      const alone = array([3, 1, 12], (row, _, d) => at(x, row!, token, d!));
      const place = places(alone, (row) => immediate(at(images, row, token)));
      const expected = array(alone.shape, (row, _, d) => at(outputs.y!, row!, token, d!));
      compare(`token ${token} alone`, await run(attentionAlone, alone, place, true), expected);
    }
  });

  test("a text whose tokens see nothing is exactly as without the attention", async () => {
    const { x, run } = await open("cross_attention_immediate");
    const y = await run(
      attentionAlone,
      x,
      places(x, () => seesNone),
      true,
    );
    expect(y.data.every((value) => Math.abs(value) === 0)).toBe(true);
  });
});

describe("MPT block", () => {
  const config = { width: 24, heads: 4, expansion: 4, alibiMax: 8 };
  const { block, attentionBias, headWidth } = mpt({ ...config, layers: 1, vocabulary: 1, positions: 16 });

  /** Of keys up to the token's own; `hidden` ones besides. */
  const causalMask = (rows: number, t: number, hidden = (_row: number, _key: number) => false): Plain =>
    array([rows, t, t], (row, i, j) => (j! > i! || hidden(row!, j!) ? masked : 0));
  const positions = (rows: number, total: number) => array([rows, total], (_, i) => i!);

  test.each([
    ["y", () => false, 0],
    ["y_left_padded", (row: number, key: number) => row === 1 && key < 2, 2],
  ] as const)("%s", async (output, hidden, from) => {
    const { weights, inputs, outputs } = await moduleFile("mpt_block");
    const given = {
      x: float32(inputs.x!),
      position: float32(positions(2, 7)),
      mask: float32(causalMask(2, 7, hidden)),
    };
    const { y } = await engine.evaluate(
      given,
      ({ x, position, mask }, graph) => {
        const bias = attentionBias(position!, mask!);
        const attend: Attend = (q, k, v, { scale }) => {
          const [queries, keys, values] = [q, k, v].map((each) => rearrange(each, "b t h e -> b h t e"));
          return rearrange(attention(queries!, keys!, values!, bias, { scale }), "b h t e -> b t h e");
        };
        return { y: block(params(graph), x!, attend) };
      },
      weights,
    );
    // What stands on padding means nothing.
    const kept = (of: Plain) =>
      array(of.shape, (row, i, d) => (row === 1 && i! < from ? 0 : at(of, row!, i!, d!)));
    compare(`MPT ${output}`, kept(y!), kept(outputs[output]!));
  });

  test("key, value and y_step, by a cache", async () => {
    const { weights, inputs, outputs } = await moduleFile("mpt_block");
    const empty = array([2, config.heads, 8, headWidth], () => 7);
    /** New tokens from slot `start` on. */
    const run = (x: Plain, start: number, keys: Plain, values: Plain) => {
      const [rows, t] = x.shape as [number, number];
      const total = start + t;
      const given = {
        x: float32(x),
        position: float32(positions(rows, total)),
        mask: float32(array([rows, t, total], () => 0)),
        start: int32({ shape: [rows], data: [start, start] }),
        keys: float32(keys),
        values: float32(values),
      };
      const write = (t: Readonly<Record<string, Tensor>>) => {
        const bias = attentionBias(t.position!, t.mask!);
        let caches: readonly Tensor[] = [];
        const attend: Attend = (q, k, v, options) => {
          const [y, ...presents] = cachedAttention(q, k, v, t.keys!, t.values!, t.start!, bias, options);
          caches = presents;
          return y!;
        };
        const y = block(params(t.x!.node.graph), t.x!, attend);
        return { y, presentKeys: caches[0]!, presentValues: caches[1]! };
      };
      return engine.evaluate(given, write, weights);
    };
    const prompt = await run(inputs.x!, 0, empty, empty);
    const firstSlots = (cache: Plain) => array(cache.shape.with(2, 7), (...index) => at(cache, ...index));
    compare("MPT y by a cache", prompt.y!, outputs.y!);
    compare("MPT key", firstSlots(prompt.presentKeys!), outputs.key!);
    compare("MPT value", firstSlots(prompt.presentValues!), outputs.value!);
    const step = await run(inputs.step!, 7, prompt.presentKeys!, prompt.presentValues!);
    compare("MPT y_step", step.y!, outputs.y_step!);
  });
});

test("ALiBi's slopes for every number of heads", () => {
  const { slopes, alibi_bias_max } = JSON.parse(readFileSync(golden("modules/alibi.json"), "utf8")) as {
    slopes: Record<string, number[]>;
    alibi_bias_max: number;
  };
  for (const [heads, expected] of Object.entries(slopes)) {
    expect(alibiSlopes(Number(heads), alibi_bias_max).map(Math.fround), `${heads} heads`).toEqual(expected);
  }
});
