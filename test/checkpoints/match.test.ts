import { expect, test } from "vitest";
import type { Checkpoint } from "../../src/checkpoints/checkpoint.js";
import { matchTensors, type Wanted } from "../../src/checkpoints/match.js";
import { openCheckpoint } from "../../src/checkpoints/openCheckpoint.node.js";
import { golden, goldenTest } from "../goldens.js";
import { expectError } from "./fixtures.js";

/** A checkpoint of shapes alone. */
const holding = (name: string, shapes: Record<string, number[]>): Checkpoint => ({
  name,
  tensors: new Map(Object.entries(shapes).map(([tensor, shape]) => [tensor, { dtype: "float32", shape }])),
  read: async () => true,
  close: async () => {},
  [Symbol.asyncDispose]: async () => {},
});

const wanting = (wanted: Record<string, Wanted>) => new Map(Object.entries(wanted));

test("each wanted tensor is found, under the model's name for it", () => {
  const vision = holding("clip.bin", { "visual.proj": [4, 2], "transformer.text": [9] });
  const flamingo = holding("checkpoint.pt", { "perceiver.latents": [3, 4] });
  const found = matchTensors(
    wanting({ "vision_encoder.proj": { shape: [4, 2] }, "perceiver.latents": { shape: [3, 4] } }),
    [
      {
        checkpoint: vision,
        rename: (name) =>
          name.startsWith("visual.") ? name.replace("visual.", "vision_encoder.") : undefined,
      },
      { checkpoint: flamingo },
    ],
  );
  expect(found.get("vision_encoder.proj")).toEqual({
    checkpoint: vision,
    name: "visual.proj",
    info: { dtype: "float32", shape: [4, 2] },
  });
  expect(found.get("perceiver.latents")?.checkpoint).toBe(flamingo);
});

test("of two checkpoints with one tensor the last wins", () => {
  const first = holding("lang", { "embed.weight": [5, 2] });
  const second = holding("checkpoint.pt", { "embed.weight": [7, 2] });
  const wanted = wanting({ "embed.weight": { shape: [7, 2], rows: "any" } });
  expect(
    matchTensors(wanted, [{ checkpoint: first, anyRows: true }, { checkpoint: second }]).get("embed.weight"),
  ).toMatchObject({
    checkpoint: second,
    info: { shape: [7, 2] },
  });
});

test("an embedding may have more rows or fewer where the checkpoint may, but not another width", async () => {
  const wanted = wanting({ "wte.weight": { shape: [518, 64], rows: "any" } });
  for (const rows of [515, 576]) {
    const checkpoint = holding("lang", { "wte.weight": [rows, 64] });
    const found = matchTensors(wanted, [{ checkpoint, anyRows: true }]);
    expect(found.get("wte.weight")?.info.shape).toEqual([rows, 64]);
    await expectError(
      () => matchTensors(wanted, [{ checkpoint }]),
      "checkpoint-mismatch",
      `"wte.weight": [${rows},64] in lang, [518,64] in the model`,
    );
  }
  const wrong = holding("lang", { "wte.weight": [518, 60] });
  await expectError(
    () => matchTensors(wanted, [{ checkpoint: wrong, anyRows: true }]),
    "checkpoint-mismatch",
    '"wte.weight": [518,60] in lang, [any,64] in the model',
  );
});

test("what the contract lets a file hold beyond the model is ignored", () => {
  const checkpoint = holding("checkpoint.pt", {
    "gpt_neox.layers.0.attention.bias": [1, 1, 8, 8],
    "gpt_neox.layers.0.attention.masked_bias": [],
    "gpt_neox.layers.0.attention.rotary_emb.inv_freq": [8],
    "lm_head.weight": [5, 2],
    "lang_encoder.lm_head.weight": [5, 2],
    "lang_encoder.old_decoder_blocks.0.norm_1.weight": [2],
    "lang_encoder.transformer.blocks.0.decoder_layer.norm_1.weight": [2],
  });
  expect(matchTensors(new Map(), [{ checkpoint }]).size).toBe(0);
});

const tinyModel = "tiny-openflamingo-4b";
goldenTest(
  `${tinyModel}/checkpoint.pt`,
  "the 4b tiny model's files hold buffers beyond the model, and fit it",
  async () => {
    for (const [path, beyond] of [
      ["lang", 12],
      ["checkpoint.pt", 4],
    ] as const) {
      await using checkpoint = await openCheckpoint(golden(`${tinyModel}/${path}`));
      const buffer = /attention\.bias$|masked_bias$|inv_freq$/;
      const wanted = new Map([...checkpoint.tensors].filter(([name]) => !buffer.test(name)));
      expect(checkpoint.tensors.size - wanted.size).toBe(beyond);
      expect(matchTensors(wanted, [{ checkpoint }]).size).toBe(wanted.size);
    }
  },
);

test("such a tensor is taken where the model wants it", () => {
  const checkpoint = holding("lang", { "lm_head.weight": [5, 2] });
  expect(matchTensors(wanting({ "lm_head.weight": { shape: [5, 2] } }), [{ checkpoint }]).size).toBe(1);
});

test("a gated block's tensor is taken under either of its names, the first where both are there", async () => {
  const first = "lang_encoder.transformer.blocks.3.gated_cross_attn_layer.attn.to_q.weight";
  const second = "lang_encoder.gated_cross_attn_layers.3.attn.to_q.weight";
  const wanted = wanting({ [first]: { shape: [4, 2] } });
  const nameIn = (shapes: Record<string, number[]>) =>
    matchTensors(wanted, [{ checkpoint: holding("c", shapes) }]).get(first)?.name;
  expect(nameIn({ [second]: [4, 2] })).toBe(second);
  expect(nameIn({ [first]: [4, 2], [second]: [4, 2] })).toBe(first);
  expect(nameIn({ [second]: [4, 2], [first]: [4, 2] })).toBe(first);
  const other = second.replace("3", "2"); // the second name of a block that the model does not have
  await expectError(
    () => nameIn({ [first]: [4, 2], [other]: [4, 2] }),
    "checkpoint-mismatch",
    "1 unexpected",
    other,
  );
});

test("all that is missing, unexpected and of another shape comes in one error", async () => {
  const wanted = wanting({ "perceiver.latents": { shape: [64, 32] }, a: { shape: [2] }, b: { shape: [] } });
  const checkpoint = holding("checkpoint.pt", { a: [3], "x\n\x1b[2J": [1] });
  const error = await expectError(() => matchTensors(wanted, [{ checkpoint }]), "checkpoint-mismatch");
  expect(error.message).toBe(
    "the model's tensors are not those of checkpoint.pt\n" +
      '2 missing:\n  "perceiver.latents", [64,32]\n  "b", []\n' +
      '1 of another shape:\n  "a": [3] in checkpoint.pt, [2] in the model\n' +
      '1 unexpected:\n  "x\\n\\u001b[2J" in checkpoint.pt',
  );
  expect(error.hint).toContain("another model");
});

test("a long list is cut at a readable length", async () => {
  const wanted = new Map(Array.from({ length: 500 }, (_, i) => [`w${i}`, { shape: [1] }]));
  const error = await expectError(
    () => matchTensors(wanted, []),
    "checkpoint-mismatch",
    "500 missing",
    "and 490 more",
  );
  expect(error.message.split("\n").length).toBe(13);
});
