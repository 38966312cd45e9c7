/** GPT-NeoX's rotary settings, in the forms that transformers 4 and 5 write. */
import { describe, expect, test } from "vitest";
import { OpenFlamingoError } from "../../src/base/errors.js";
import { languageModel } from "../../src/models/configuration.js";
import { host } from "../graph/arrays.js";
import { useBackend } from "../graph/evaluate.js";

const gptNeox = {
  model_type: "gpt_neox",
  hidden_size: 80,
  num_attention_heads: 4,
  num_hidden_layers: 4,
  intermediate_size: 320,
  max_position_embeddings: 128,
  rotary_pct: 0.5,
};
const { rotary_pct: _, ...unturned } = gptNeox;

const read = (json: object) => languageModel("config.json", json, 518);

function rejectionOf(json: object): OpenFlamingoError {
  try {
    read(json);
  } catch (error) {
    if (error instanceof OpenFlamingoError) return error;
    throw error;
  }
  throw new Error(`accepted: ${JSON.stringify(json)}`);
}

describe("GPT-NeoX's rotary settings", () => {
  const parameters = { rope_type: "default", partial_rotary_factor: 0.5, rope_theta: 10_000 };
  const backend = useBackend();
  /** What becomes of the queries of two tokens. */
  const turned = async (json: object) => {
    const x = host({ shape: [1, 2, 1, 20], data: Array.from({ length: 40 }, (_, i) => i) }, "float32");
    const position = host({ shape: [1, 2], data: [3, 100] }, "float32");
    const { y } = await backend.evaluate({ x, position }, ({ x, position }) => ({
      y: read(json).rotation!(position!)(x!),
    }));
    return y!.data;
  };

  test.each([
    ["transformers 4", gptNeox],
    ["transformers 4, with a base", { ...gptNeox, rotary_emb_base: 10_000 }],
    ["transformers 5", { ...unturned, rope_parameters: parameters }],
    [
      "the older name of the type",
      { ...unturned, rope_parameters: { ...parameters, rope_type: undefined, type: "default" } },
    ],
    ["at the top", { ...unturned, partial_rotary_factor: 0.5, rope_theta: 10_000 }],
    [
      "all of them, and all the same",
      { ...gptNeox, partial_rotary_factor: 0.5, rope_theta: 1e4, rope_parameters: parameters },
    ],
    ["no scaling", { ...gptNeox, rope_scaling: null, rope_parameters: null }],
    ["scaling of the default type", { ...gptNeox, rope_scaling: { rope_type: "default" } }],
  ])("%s: read", async (_, json) => {
    expect(await turned(json)).toEqual(await turned(gptNeox));
  });

  test.each([
    ["a share of 1", { partial_rotary_factor: 1 }, { rotary_pct: 1 }],
    ["a share of 0.1", { partial_rotary_factor: 0.1 }, { rotary_pct: 0.1 }],
    ["another base", { rope_theta: 500_000 }, { rotary_emb_base: 500_000 }],
  ])("%s is obeyed in both forms", async (_, inParameters, atTop) => {
    const found = await turned({ ...unturned, rope_parameters: { ...parameters, ...inParameters } });
    expect(found).toEqual(await turned({ ...gptNeox, ...atTop }));
    expect(found).not.toEqual(await turned(gptNeox));
  });

  test.each([
    [unturned, "rotary_pct, or partial_rotary_factor in rope_parameters, is missing"],
    [{ ...unturned, rotary_emb_base: 1e4 }, "is missing"],
    [{ ...unturned, rope_parameters: { rope_type: "default", rope_theta: 1e4 } }, "is missing"],
    [
      { ...gptNeox, rope_parameters: { ...parameters, partial_rotary_factor: 1 } },
      "is given as 0.5 and as 1",
    ],
    [{ ...gptNeox, partial_rotary_factor: 0.25 }, "is given as 0.5 and as 0.25"],
    [{ ...gptNeox, rotary_emb_base: 1e6, rope_theta: 1e4 }, "is given as 1000000 and as 10000"],
    [{ ...gptNeox, rope_theta: 5e5, rope_scaling: { rope_theta: 1e4 } }, "is given as 10000 and as 500000"],
    [{ ...gptNeox, rotary_pct: 0.25 }, "turns 5 of the 20 numbers of a head; it must be an even number"],
    [{ ...gptNeox, rotary_pct: 0.01 }, "turns 0 of the 20 numbers of a head"],
  ])("%j is rejected", (json, message) => {
    const error = rejectionOf(json);
    expect(error.code).toBe("model-invalid");
    expect(error.message).toContain(message);
  });

  test.each([
    [{ ...gptNeox, rope_scaling: { type: "linear", factor: 2 } }, 'rope_scaling.type is "linear"'],
    [
      { ...gptNeox, rope_scaling: { rope_type: "dynamic", factor: 2 } },
      'rope_scaling.rope_type is "dynamic"',
    ],
    [
      { ...unturned, rope_parameters: { ...parameters, rope_type: "yarn" } },
      'rope_parameters.rope_type is "yarn"',
    ],
    [{ ...unturned, rope_parameters: { ...parameters, type: "llama3" } }, 'rope_parameters.type is "llama3"'],
    [{ ...unturned, rope_parameters: { ...parameters, factor: 4 } }, '"rope_parameters.factor" is no key'],
    [
      { ...unturned, rope_parameters: { full_attention: parameters } },
      '"rope_parameters.full_attention" is no key',
    ],
  ])("%j is not supported", (json, message) => {
    const error = rejectionOf(json);
    expect(error.code).toBe("model-unsupported");
    expect(error.message).toContain(`config.json: ${message}`);
  });
});
