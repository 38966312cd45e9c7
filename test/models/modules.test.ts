/**
 * The parts of the models beside the reference implementation's, from the same weights: goldens/README.md, `modules/`.
 * The goldens' own noise against double precision is about 1e-6 at values of this size.
 */
import { describe, expect, test } from "vitest";
import { rearrange, type Tensor } from "../../src/graph/index.js";
import { causalMask } from "../../src/models/clipText.js";
import {
  ALL_IMAGES,
  type CrossAttentionConfig,
  type CrossAttentionMask,
  crossAttentionMask,
  gatedCrossAttention,
  type Media,
  maskedCrossAttention,
  NO_IMAGE,
  projectMedia,
} from "../../src/models/crossAttention.js";
import { type Params, params } from "../../src/models/layers.js";
import { perceiver } from "../../src/models/perceiver.js";
import { clipBlock } from "../../src/models/vit.js";
import { array, at, host, type Plain } from "../graph/arrays.js";
import { useBackend } from "../graph/evaluate.js";
import { compare, type Module, moduleFile, modulesOf } from "./moduleFile.js";

const backend = useBackend();

const float32 = (x: Plain) => host(x, "float32");
const int32 = (x: Plain) => host(x, "int32");

interface PerceiverSettings {
  readonly depth: number;
  readonly dim_head: number;
  readonly heads: number;
  readonly num_latents: number;
  readonly ff_mult: number;
  readonly max_num_frames?: number;
  readonly max_num_media?: number;
}

describe.each(modulesOf<PerceiverSettings>("perceiver_"))("$name", ({ name, file, config: given }) => {
  const config = {
    depth: given.depth,
    heads: given.heads,
    headDim: given.dim_head,
    latents: given.num_latents,
    mlpRatio: given.ff_mult,
    ...(given.max_num_frames !== undefined && { frames: given.max_num_frames }),
    ...(given.max_num_media !== undefined && { images: given.max_num_media }),
  };

  test.each([
    ["x", "y"],
    ["x_single", "y_single"],
  ])("%s: several images of several frames, or a single one", async (given, wanted) => {
    const { weights, inputs, outputs } = await moduleFile(file);
    const write = ({ x }: Readonly<Record<string, Tensor>>) => ({
      y: perceiver(params(x!.node.graph), x!, config),
    });
    const { y } = await backend.evaluate({ x: float32(inputs[given]!) }, write, weights);
    compare(name, wanted, y!, outputs[wanted]!);
  });
});

interface VitBlockSettings {
  readonly heads: number;
  readonly mlp_ratio: number;
  readonly act: "quick_gelu" | "gelu";
}

describe.each(modulesOf<VitBlockSettings>("vit_block_"))("$name", ({ name, file, config: given }) => {
  const activation = given.act === "quick_gelu" ? "quickGelu" : "gelu";
  const config = { heads: given.heads, mlpRatio: given.mlp_ratio, activation } as const;

  test.each([
    ["y", false],
    ["y_causal", true],
  ])("%s", async (output, isCausal) => {
    const { weights, inputs, outputs } = await moduleFile(file);
    const { y } = await backend.evaluate(
      { x: float32(inputs.x!) },
      ({ x }, graph) => ({
        y: clipBlock(params(graph), x!, config, isCausal ? causalMask(graph, x!.shape[1]!) : undefined),
      }),
      weights,
    );
    compare(name, output, y!, outputs[output]!);
  });
});

interface CrossAttentionSettings {
  readonly heads: number;
  readonly dim_head: number;
  readonly only_attend_immediate_media?: boolean;
  /** Of a whole block, with its feed-forward layer. */
  readonly ff_mult?: number;
}

describe("cross-attention", () => {
  type Block = (
    p: Params,
    x: Tensor,
    media: Media,
    mask: CrossAttentionMask,
    config: CrossAttentionConfig,
  ) => Tensor;
  const attentionAlone: Block = (p, x, media, mask, config) =>
    maskedCrossAttention(p.at("attn"), x, media, mask, config);

  /** Opens a file; the parameters of an attention alone are put where a block has its attention. */
  async function open({ file: name, config: given }: Module<CrossAttentionSettings>) {
    const file = await moduleFile(name);
    const config = { heads: given.heads, headDim: given.dim_head, mlpRatio: given.ff_mult ?? Number.NaN };
    const { x, step, media, media_locations: locations } = file.inputs as Record<string, Plain>;
    const [, imageCount, latents] = media!.shape as [number, number, number, number];
    const isBlock = "attn_gate" in file.weights;
    const weights = Object.fromEntries(
      Object.entries(file.weights).map(([key, value]) => [isBlock ? key : `attn.${key}`, value]),
    );
    /** Tokens with their image indices through the block. */
    const run = async (
      block: Block,
      tokens: Plain,
      imageIndex: Plain,
      onlyImmediate: boolean,
    ): Promise<Plain> => {
      const given = { x: float32(tokens), imageIndex: int32(imageIndex), media: float32(media!) };
      const { y } = await backend.evaluate(
        given,
        (t, graph) => {
          const p = params(graph);
          const each = projectMedia(p, rearrange(t.media!, "b s n d -> (b s) n d"), config);
          const ofPrompts = (of: Tensor) => rearrange(of, "(b s) h n e -> b h (s n) e", { s: imageCount });
          const media = { keys: ofPrompts(each.keys), values: ofPrompts(each.values) };
          return {
            y: block(
              p,
              t.x!,
              media,
              crossAttentionMask(t.imageIndex!, imageCount, latents, { onlyImmediate }),
              config,
            ),
          };
        },
        weights,
      );
      return y!;
    };
    const images = imagesUpTo(locations!);
    /** The image index of a token after so many `<image>`s. */
    const indexAfter = (count: number) =>
      count === 0 ? NO_IMAGE : count > imageCount ? ALL_IMAGES : count - 1;
    const ofToken = (row: number, token: number) => indexAfter(at(images, row, token));
    const ofLast = (row: number) => ofToken(row, images.shape[1]! - 1);
    return { x: x!, step: step!, imageCount, ofToken, ofLast, outputs: file.outputs, run };
  }

  /** How many `<image>`s there are up to and including each token. */
  const imagesUpTo = (locations: Plain): Plain =>
    array(locations.shape, (row, token) => {
      let images = 0;
      for (let i = 0; i <= token!; i++) images += at(locations, row!, i);
      return images;
    });

  /** An image index for each token of x. */
  const imageIndicesOf = (x: Plain, imageIndex: (row: number, token: number) => number) =>
    array(x.shape.slice(0, 2), (row, token) => imageIndex(row!, token!));

  const alone = modulesOf<CrossAttentionSettings>("cross_attention_");
  test.each(alone)("$name", async (module) => {
    const { x, step, imageCount, ofToken, ofLast, outputs, run } = await open(module);
    const onlyImmediate = module.config.only_attend_immediate_media !== false;
    const cases = {
      y: [x, imageIndicesOf(x, ofToken), onlyImmediate],
      y_no_places: [x, imageIndicesOf(x, () => NO_IMAGE), onlyImmediate],
      y_cached: [step, imageIndicesOf(step, ofLast), onlyImmediate],
      y_cached_no_places: [step, imageIndicesOf(step, () => NO_IMAGE), onlyImmediate],
      // Without any mask: as if every token stood after the last image and saw all before it.
      y_no_locations: [x, imageIndicesOf(x, () => imageCount - 1), false],
    } as const;
    for (const [output, [tokens, imageIndex, mode]] of Object.entries(cases)) {
      compare(module.name, output, await run(attentionAlone, tokens, imageIndex, mode), outputs[output]!);
    }
  });

  test.each(modulesOf<CrossAttentionSettings>("gated_cross_attention_block"))("$name", async (module) => {
    const { x, step, ofToken, ofLast, outputs, run } = await open(module);
    const [own, last] = [imageIndicesOf(x, ofToken), imageIndicesOf(step, ofLast)];
    compare(module.name, "y", await run(gatedCrossAttention, x, own, true), outputs.y!);
    compare(module.name, "y_cached", await run(gatedCrossAttention, step, last, true), outputs.y_cached!);
  });

  const immediate = alone.filter(({ config }) => config.only_attend_immediate_media !== false);
  test.each(immediate)("$name: a token alone gets what it gets among others", async (module) => {
    const { x, ofToken, outputs, run } = await open(module);
    const [rows, tokens, d] = x.shape as [number, number, number];
    for (const token of [0, Math.floor(tokens / 2), tokens - 1]) {
      const alone = array([rows, 1, d], (row, _, i) => at(x, row!, token, i!));
      const imageIndex = imageIndicesOf(alone, (row) => ofToken(row, token));
      const expected = array(alone.shape, (row, _, i) => at(outputs.y!, row!, token, i!));
      const found = await run(attentionAlone, alone, imageIndex, true);
      compare(module.name, `y of token ${token} alone`, found, expected);
    }
  });

  test.each(immediate)("$name: a text whose tokens see nothing is as without it", async (module) => {
    const { x, run } = await open(module);
    const y = await run(
      attentionAlone,
      x,
      imageIndicesOf(x, () => NO_IMAGE),
      true,
    );
    expect(y.data.every((value) => Math.abs(value) === 0)).toBe(true);
  });
});
