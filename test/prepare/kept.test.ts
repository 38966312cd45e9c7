/** Float16, and tensors that are kept in a more exact format than the others. */
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { prepare } from "../../src/api/prepare.node.js";
import { elementCount } from "../../src/base/dtypes.js";
import { load } from "../../src/index.js";
import { golden, randomModelFolder } from "../goldens.js";
import { outlyingModel } from "./outlyingModel.js";

const folder = mkdtempSync(join(tmpdir(), "kept-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const photo = golden("photos/chelsea.png");

async function idsOf(model: string, options: Parameters<typeof load>[1] = {}): Promise<readonly number[]> {
  await using flamingo = await load(model, { onNotice: () => {}, ...options });
  return (await flamingo.caption(photo)).ids;
}

interface Tensor {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
}
const tensorsOf = (of: string): readonly Tensor[] =>
  JSON.parse(readFileSync(join(of, "weights.json"), "utf8")).tensors;

describe("float16", () => {
  const half = join(folder, "fp16");

  test("takes two bytes a number, and answers as the checkpoints rounded while they are loaded", async () => {
    await prepare(randomModelFolder, half, { weights: "fp16" });
    const numbers = tensorsOf(half).reduce((sum, { shape }) => sum + elementCount(shape), 0);
    const { size } = statSync(join(half, "weights.bin"));
    expect(size).toBeLessThan(2.4 * numbers); // with what lies between tensors
    expect(new Set(tensorsOf(half).map(({ dtype }) => dtype))).toEqual(new Set(["float16"]));
    const expected = await idsOf(randomModelFolder, { weights: "fp16" });
    expect(await idsOf(half)).toEqual(expected);
    expect(await idsOf(half, { backend: "ort.binding", weights: "fp16" })).toEqual(expected);
  });

  test("what is beyond it is an error that names the tensor, unless it is kept", async () => {
    const model = join(folder, "large");
    await outlyingModel(model, 1e5);
    const output = join(folder, "large-fp16");
    await expect(prepare(model, output, { weights: "fp16" })).rejects.toMatchObject({
      code: "usage",
      message: expect.stringMatching(
        /model\.safetensors: transformer\.blocks\.\d\.norm_[12]\.weight holds -?\d+\.?\d* at place 5: float16 ends at 65504$/,
      ),
      hint: expect.stringContaining("keep"),
    });
    await expect(load(model, { weights: "fp16", onNotice: () => {} })).rejects.toMatchObject({
      code: "usage",
    });
    await prepare(model, output, { weights: "fp16", keep: { ".norm_": "fp32" } });
    const wrong = tensorsOf(output).filter(
      ({ name, dtype }) => dtype !== (name.includes(".norm_") ? "float32" : "float16"),
    );
    expect(wrong).toEqual([]);
    expect(await idsOf(output)).toEqual(await idsOf(model));
  });
});

describe("kept tensors", () => {
  test("are in the format that is named for the first part of a name that fits", async () => {
    const output = join(folder, "kept");
    const keep = {
      "transformer.blocks.0.attn": "fp32",
      "transformer.blocks.0.": "int8",
      vision_encoder: "fp32",
    } as const;
    await prepare(randomModelFolder, output, { keep });
    const tensors = new Map(tensorsOf(output).map((each) => [each.name, each]));
    const of = (name: string) => tensors.get(`lang_encoder.transformer.blocks.${name}.weight`);
    const bytesOf = (name: string) =>
      tensors.get(`lang_encoder.transformer.blocks.${name}.weight:values`)?.shape[2];
    expect(of("0.attn.Wqkv")).toMatchObject({ dtype: "float32", shape: [192, 64] });
    expect(bytesOf("0.ffn.up_proj")).toBe(128);
    expect(bytesOf("1.ffn.up_proj")).toBe(64);
    const vision = [...tensors.values()].filter(({ name }) => name.startsWith("vision_encoder."));
    expect(vision.filter(({ dtype }) => dtype !== "float32")).toEqual([]);
    expect((await idsOf(output)).length).toBeGreaterThan(0);
    const { prepared } = JSON.parse(readFileSync(join(output, "openflamingo.json"), "utf8"));
    expect(Object.entries(prepared.keep)).toEqual(Object.entries(keep));
  }, 60_000);

  test("all of them in float32 answer as float32 does", async () => {
    const output = join(folder, "all");
    await prepare(randomModelFolder, output, { keep: { ".": "fp32" } });
    expect(await idsOf(output)).toEqual(await idsOf(randomModelFolder));
  });

  test.each([
    [{ keep: { wte: "int8" }, weights: "int8" }, 'keep "wte" as int8 is no more exact than int8'],
    [{ keep: { wte: "int8" }, weights: "fp16" }, 'keep "wte" as int8 is no more exact than fp16'],
    [{ keep: { wte: "int4" } }, 'keep["wte"] is "int4"; it must be "fp32" or "int8"'],
    [{ keep: { "no such": "fp32" } }, 'keep: no tensor of the model has "no such" in its name'],
  ] as const)("%j is rejected", async (options, message) => {
    await expect(prepare(randomModelFolder, join(folder, "wrong"), options as never)).rejects.toMatchObject({
      code: "usage",
      message: expect.stringContaining(message),
      hint: expect.any(String),
    });
  });
});
