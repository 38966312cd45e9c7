/**
 * The parts of the models beside the reference implementation's, from the same weights: goldens/README.md, `modules/`.
 * The goldens' own noise against double precision is about 1e-6 at values of this size.
 */
import { describe, expect, test } from "vitest";
import { rearrange, type Tensor } from "../../src/graph/index.js";
import { causalMask } from "../../src/models/clipText.js";
import {
  ALL_IMAGES,
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
import { compare, moduleFile } from "./moduleFile.js";

const backend = useBackend();

const float32 = (x: Plain) => host(x, "float32");
const int32 = (x: Plain) => host(x, "int32");

describe.each([
  ["perceiver_plain", {}],
  ["perceiver_frames_and_media_time", { frames: 3, images: 4 }],
])("%s", (file, embeddings) => {
  test.each([
    ["x", "y"],
    ["x_single", "y_single"],
  ])("%s: several images of several frames, or a single one", async (given, wanted) => {
    const { weights, inputs, outputs } = await moduleFile(file);
    const config = { depth: 2, heads: 2, headDim: 8, latents: 5, mlpRatio: 2, ...embeddings };
    const write = ({ x }: Readonly<Record<string, Tensor>>) => ({
      y: perceiver(params(x!.node.graph), x!, config),
    });
    const { y } = await backend.evaluate({ x: float32(inputs[given]!) }, write, weights);
    compare(file, wanted, y!, outputs[wanted]!);
  });
});

describe.each([
  ["vit_block_quick_gelu", "quickGelu"],
  ["vit_block_gelu", "gelu"],
] as const)("%s", (file, activation) => {
  test.each([
    ["y", false],
    ["y_causal", true],
  ])("%s", async (output, isCausal) => {
    const { weights, inputs, outputs } = await moduleFile(file);
    const config = { heads: 4, mlpRatio: 4, activation };
    const { y } = await backend.evaluate(
      { x: float32(inputs.x!) },
      ({ x }, graph) => ({
        y: clipBlock(params(graph), x!, config, isCausal ? causalMask(graph, x!.shape[1]!) : undefined),
      }),
      weights,
    );
    compare(file, output, y!, outputs[output]!);
  });
});

describe("cross-attention", () => {
  const imageCount = 3;
  const latents = 4;
  const config = { heads: 2, headDim: 8, mlpRatio: 3 };

  type Block = (p: Params, x: Tensor, media: Media, mask: CrossAttentionMask) => Tensor;
  const attentionAlone: Block = (p, x, media, mask) =>
    maskedCrossAttention(p.at("attn"), x, media, mask, config);
  const gated: Block = (p, x, media, mask) => gatedCrossAttention(p, x, media, mask, config);

  /** Opens a file; the parameters of an attention alone are put where a block has its attention. */
  async function open(name: string) {
    const file = await moduleFile(name);
    const { x, step, media, media_locations: locations } = file.inputs as Record<string, Plain>;
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
            ),
          };
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

  /** The image index of a token after so many `<image>`s. */
  const imageIndexAfter = (images: number) =>
    images === 0 ? NO_IMAGE : images > imageCount ? ALL_IMAGES : images - 1;

  /** An image index for each token of x. */
  const imageIndicesOf = (x: Plain, imageIndex: (row: number, token: number) => number) =>
    array(x.shape.slice(0, 2), (row, token) => imageIndex(row!, token!));

  test.each([
    ["cross_attention_immediate", true],
    ["cross_attention_all_previous", false],
  ] as const)("%s", async (name, onlyImmediate) => {
    const { x, step, images, outputs, run } = await open(name);
    const ofRow = (row: number) => imageIndexAfter(at(images, row, images.shape[1]! - 1));
    const cases = {
      y: [x, imageIndicesOf(x, (row, token) => imageIndexAfter(at(images, row, token))), onlyImmediate],
      y_no_places: [x, imageIndicesOf(x, () => imageIndexAfter(0)), onlyImmediate],
      y_cached: [step, imageIndicesOf(step, ofRow), onlyImmediate],
      y_cached_no_places: [step, imageIndicesOf(step, () => imageIndexAfter(0)), onlyImmediate],
      // Without any mask: as if every token stood after the last image and saw all before it.
      y_no_locations: [x, imageIndicesOf(x, () => imageCount - 1), false],
    } as const;
    for (const [output, [tokens, imageIndex, mode]] of Object.entries(cases)) {
      compare(name, output, await run(attentionAlone, tokens, imageIndex, mode), outputs[output]!);
    }
  });

  test("gated_cross_attention_block", async () => {
    const { x, step, images, outputs, run } = await open("gated_cross_attention_block");
    const own = imageIndicesOf(x, (row, token) => imageIndexAfter(at(images, row, token)));
    const last = imageIndicesOf(step, (row) => imageIndexAfter(at(images, row, images.shape[1]! - 1)));
    compare("gated_cross_attention_block", "y", await run(gated, x, own, true), outputs.y!);
    compare("gated_cross_attention_block", "y_cached", await run(gated, step, last, true), outputs.y_cached!);
  });

  test("a token alone gets what it gets among others", async () => {
    const { x, images, outputs, run } = await open("cross_attention_immediate");
    for (const token of [0, 4, 8]) {
      const alone = array([3, 1, 12], (row, _, d) => at(x, row!, token, d!));
      const imageIndex = imageIndicesOf(alone, (row) => imageIndexAfter(at(images, row, token)));
      const expected = array(alone.shape, (row, _, d) => at(outputs.y!, row!, token, d!));
      compare(
        "cross_attention_immediate",
        `y of token ${token} alone`,
        await run(attentionAlone, alone, imageIndex, true),
        expected,
      );
    }
  });

  test("a text whose tokens see nothing is exactly as without the attention", async () => {
    const { x, run } = await open("cross_attention_immediate");
    const y = await run(
      attentionAlone,
      x,
      imageIndicesOf(x, () => NO_IMAGE),
      true,
    );
    expect(y.data.every((value) => Math.abs(value) === 0)).toBe(true);
  });
});
