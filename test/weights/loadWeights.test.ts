/** The language model's embedding, whose own file may have other rows than the tokenizer needs. */

import { describe, expect, test } from "vitest";
import type { Checkpoint } from "../../src/checkpoints/checkpoint.js";
import type { HostTensor } from "../../src/runtime/hostTensor.js";
import { loadWeights } from "../../src/weights/loadWeights.js";
import { config } from "../runner/smallModel.js";

const { language } = config;

function checkpoint(name: string, tensors: Readonly<Record<string, number>>): Checkpoint {
  return {
    name,
    tensors: new Map(
      Object.entries(tensors).map(([tensor, rows]) => [tensor, { dtype: "float32", shape: [rows, 2] }]),
    ),
    async read(_, into) {
      into.set(into.map((_, i) => i + 1));
      return true;
    },
    close: async () => {},
    [Symbol.asyncDispose]: async () => {},
  };
}

const tensor = `lang_encoder.${language.embedding}`;
const embedding = { name: tensor, dtype: "float32" as const, tensor, shape: [4, 2], from: [4, 2] };
const load = async (rows: number, trained: Readonly<Record<string, number>> = {}) => {
  const checkpoints = {
    vision: checkpoint("vision", {}),
    language: checkpoint("language", { [language.embedding]: rows }),
    flamingo: checkpoint("trained", trained),
  };
  const weights = await loadWeights([embedding], checkpoints, language);
  return [...((weights.get(tensor) as HostTensor).data as Float32Array)];
};

test.each([
  [Number.NaN, 2],
  [Number.POSITIVE_INFINITY, 0],
  [Number.NEGATIVE_INFINITY, 7],
])("a weight that is %d is reported with its place", async (value, at) => {
  const damaged = checkpoint("language", { [language.embedding]: 4 });
  const read = async (_: string, into: Float32Array) => {
    into[at] = value;
    return false;
  };
  const checkpoints = {
    vision: checkpoint("vision", {}),
    language: { ...damaged, read },
    flamingo: checkpoint("trained", {}),
  };
  await expect(loadWeights([embedding], checkpoints, language)).rejects.toMatchObject({
    code: "weights-not-finite",
    message: `language: ${language.embedding} holds ${value} at place ${at}`,
  });
  const longer = checkpoint("language", { [language.embedding]: 20 });
  const beyond = async (_: string, into: Float32Array) => {
    into[8 + at] = value; // in rows that are cut
    return false;
  };
  const accepted = { ...checkpoints, language: { ...longer, read: beyond } };
  expect((await loadWeights([embedding], accepted, language)).size).toBe(1);
});

test("a weight that has no room in memory is reported with its size", async () => {
  const rows = 2 ** 50; // as a header may say: the reader of a real file would reject it before
  const checkpoints = {
    vision: checkpoint("vision", {}),
    language: checkpoint("language", { [language.embedding]: rows }),
    flamingo: checkpoint("trained", {}),
  };
  await expect(loadWeights([embedding], checkpoints, language)).rejects.toMatchObject({
    code: "memory",
    message: `no room for ${tensor}: ${8 * rows} bytes`,
  });
});

describe("an embedding of 4 tokens", () => {
  test("is cut from a file with more rows", async () => {
    expect(await load(6)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  });

  test("is grown from a file with fewer: new rows are small draws, the same each time", async () => {
    const grown = await load(2);
    expect(grown.slice(0, 4)).toEqual([1, 2, 3, 4]);
    const drawn = grown.slice(4);
    expect(new Set(drawn).size).toBe(4);
    expect(drawn.every((value) => value !== 0 && Math.abs(value) < 0.1)).toBe(true);
    expect(await load(2)).toEqual(grown);
  });

  test("is the trained checkpoint's where that has one", async () => {
    expect(await load(2, { [tensor]: 4 })).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  });
});

test("a tokenizer with many more tokens than the embedding has rows is another model's", async () => {
  const many = { name: tensor, dtype: "float32" as const, tensor, shape: [4000, 2], from: [4000, 2] };
  const checkpoints = {
    vision: checkpoint("vision", {}),
    language: checkpoint("language", { [language.embedding]: 4 }),
    flamingo: checkpoint("trained", {}),
  };
  await expect(loadWeights([many], checkpoints, language)).rejects.toMatchObject({
    code: "checkpoint-mismatch",
    message: `language: ${language.embedding} has 4 rows, and the tokenizer 4000 tokens`,
  });
});
