/** Arguments of the compatible API that make no sense, as a program in JavaScript can give them, and those in other types. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createModelAndTransforms, stack, type TensorData } from "../../../src/index.js";
import { golden } from "../../goldens.js";
import { safetensors, tensorsOf } from "../../tensors.js";
import { tinyModel } from "../../tinyModel.js";
import { type OpenedTinyModel, openTinyModelByName } from "./opened.js";

let opened: OpenedTinyModel;
let visionX: TensorData;
const text = "<image>Output:";
beforeAll(async () => {
  opened = await openTinyModelByName(tinyModel("tiny-openflamingo-9b"));
  visionX = await opened.visionX([["p0"]]);
});
afterAll(() => opened.model.close());

const any = (value: unknown) => value as never;
const langX = () => opened.tokenizer(text).inputIds;
const generate = (args: object) =>
  opened.model.generate(any({ visionX, langX: langX(), maxNewTokens: 2, ...args }));
const forward = (args: object) => opened.model.forward(any({ visionX, langX: langX(), ...args }));

describe("wrong values are rejected with a specific error", () => {
  test.each([
    [
      "earlyStopping in capitals",
      () => generate({ numBeams: 2, earlyStopping: "Never" }),
      'earlyStopping is "Never"',
    ],
    ["earlyStopping as a number", () => generate({ numBeams: 2, earlyStopping: 1 }), "earlyStopping is 1"],
    ["beamLength cut short", () => generate({ numBeams: 2, beamLength: "gen" }), 'beamLength is "gen"'],
    ["doSample as a text", () => generate({ doSample: "no" }), 'doSample is "no"; it must be true or false'],
    ["a hundred thousand beams", () => generate({ numBeams: 100_000 }), "numBeams is 100000"],
    ["half a beam", () => generate({ numBeams: 1.5 }), "numBeams is 1.5"],
    ["a topP of 2", () => generate({ topP: 2 }), "topP is 2"],
    ["a temperature of NaN", () => generate({ temperature: Number.NaN }), "temperature is NaN"],
    ["a bad word that is a text", () => generate({ badWordsIds: ["cat"] }), "badWordsIds[0]"],
    ["useCache as a text", () => generate({ useCache: "false" }), 'useCache is "false"'],
    [
      "strict as a text",
      () => opened.model.loadStateDict("x.pt", any({ strict: "false" })),
      'strict is "false"',
    ],
    [
      "a misspelt argument",
      () => opened.model.cacheMedia(any({ inputIds: langX(), vision_x: visionX })),
      "vision_x",
    ],
    [
      "pixels that are no tensor",
      () => forward({ visionX: [1, 2, 3] }),
      "visionX is [1,2,3]; it must be a tensor",
    ],
    ["pixels in a plain array", () => forward({ visionX: { shape: [1], data: [1] } }), "it must be a tensor"],
    [
      "a pixel that is no number",
      () => {
        const data = visionX.data.slice();
        data[7] = Number.NaN;
        return forward({ visionX: { shape: visionX.shape, data } });
      },
      "visionX holds NaN at index 7",
    ],
    ["rows that are none", () => forward({ langX: 5 }), "langX is 5; it must be a list of rows"],
    ["a row that is a text", () => forward({ langX: ["abc"] }), 'langX: row 0 is "abc"'],
    [
      "a mask of other rows",
      () => forward({ attentionMask: [[1], [1]] }),
      "attentionMask has 2 rows, langX 1",
    ],
    [
      "a mask of other numbers",
      () => forward({ attentionMask: [langX()[0]!.slice().fill(2)] }),
      "attentionMask has 2",
    ],
    ["labels of another length", () => forward({ labels: [[1]] }), "labels are not (1, "],
  ])("%s", async (_, call, message) => {
    const promise = (async () => call())();
    await expect(promise).rejects.toMatchObject({
      name: "OpenFlamingoError",
      code: expect.stringMatching(/usage|shape/),
      message: expect.stringContaining(message),
    });
  });

  test.each([
    [
      "padding on no side",
      () => Object.assign(opened.tokenizer, { paddingSide: "lefft" }),
      'paddingSide is "lefft"',
    ],
    ["a number for a text", () => opened.tokenizer(any(5)), "the texts are 5"],
    ["a misspelt option", () => opened.tokenizer(text, any({ pading: true })), "Did you mean padding?"],
    ["padding of no kind", () => opened.tokenizer(text, any({ padding: "left" })), 'padding is "left"'],
    [
      "a misspelt option of decode",
      () => opened.tokenizer.decode([1], any({ skip_special_tokens: true })),
      "Did you mean skipSpecialTokens?",
    ],
    ["ids that are none", () => opened.tokenizer.decode(any("abc")), 'ids: row 0 is "abc"'],
  ])("%s", (_, call, message) => {
    let error: { message: string; hint: string } | undefined;
    try {
      call();
    } catch (thrown) {
      error = thrown as typeof error;
    }
    expect(`${error?.message} ${error?.hint}`).toContain(message);
  });

  test("stack takes images of an image processor, not what is stacked already", async () => {
    await expect(stack([[visionX]])).rejects.toMatchObject({
      code: "shape",
      message: `stack: an image is of shape (${visionX.shape.join(", ")}); it must be (3, S, S)`,
    });
    await expect(stack([any({ shape: [3, 2, 2], data: [1] })])).rejects.toThrow("it must be a tensor");
    await expect(stack(any(5))).rejects.toThrow("a list of images");
  });

  test("creating without arguments, or with misspelt ones, says what is missing", async () => {
    const create = createModelAndTransforms as (options?: unknown) => Promise<unknown>;
    await expect(create()).rejects.toMatchObject({
      code: "usage",
      message: expect.stringContaining("langEncoderPath is missing"),
    });
    await expect(create({ crossAttnEveryNLayer: 4 })).rejects.toMatchObject({
      hint: "Did you mean crossAttnEveryNLayers?",
    });
    await expect(create({ cross_attn_every_n_layers: 4 })).rejects.toMatchObject({
      hint: "Did you mean crossAttnEveryNLayers?",
    });
  });
});

describe("rows in other types give what plain ones do", () => {
  test.each([
    ["Int32Array", (row: readonly number[]) => Int32Array.from(row)],
    ["BigInt64Array", (row: readonly number[]) => BigInt64Array.from(row, BigInt)],
    ["Float64Array", (row: readonly number[]) => Float64Array.from(row)],
  ])("%s", async (_, convert) => {
    const plain = langX();
    const mask = [plain[0]!.map(() => 1)];
    const expected = await opened.model.generate({
      visionX,
      langX: plain,
      attentionMask: mask,
      maxNewTokens: 3,
    });
    const found = await opened.model.generate({
      visionX,
      langX: [convert(plain[0] as readonly number[])],
      attentionMask: [Uint8Array.from(mask[0]!)],
      maxNewTokens: 3,
    });
    expect(found).toEqual(expected);
    expect(opened.tokenizer.decode(Int32Array.from(found[0]!))).toBe(opened.tokenizer.decode(found[0]!));
  });

  test("a mask of booleans", async () => {
    const plain = langX();
    const found = await opened.model.forward({
      visionX,
      langX: plain,
      attentionMask: [plain[0]!.map(() => true) as never],
    });
    expect(found.logits).toEqual((await opened.model.forward({ visionX, langX: plain })).logits);
  });
});

test("what a caller does with its pixels afterwards changes nothing, a shrunken buffer included", async () => {
  const expected = await opened.model.forward({ visionX, langX: langX() });
  const buffer = new (ArrayBuffer as unknown as new (size: number, options: object) => ArrayBuffer)(
    visionX.data.byteLength,
    {
      maxByteLength: visionX.data.byteLength,
    },
  );
  const data = new Float32Array(buffer);
  data.set(visionX.data);
  const running = opened.model.forward({ visionX: { shape: visionX.shape, data }, langX: langX() });
  await Promise.resolve();
  (buffer as unknown as { resize(size: number): void }).resize(0);
  const found = await running.catch((error: unknown) => error);
  // Whether the copy is made before or after: an answer or an error, never other numbers.
  if (found instanceof Error) expect(found).toMatchObject({ name: "OpenFlamingoError" });
  else expect(found).toEqual(expected);
});

test("loads come one after the other; a closed model stays closed and says so", async () => {
  const golden9b = tinyModel("tiny-openflamingo-9b");
  const other = await openTinyModelByName(golden9b);
  const file = golden("tiny-openflamingo-9b/checkpoint.pt");
  const both = await Promise.all([
    other.model.loadStateDict(file, { strict: false }),
    other.model.loadStateDict(file, { strict: false }),
  ]);
  expect(both[0]).toEqual(both[1]);
  const expected = await opened.model.forward({ visionX, langX: langX() });
  expect((await other.model.forward({ visionX, langX: langX() })).logits).toEqual(expected.logits);
  await other.model.close();
  await expect(other.model.forward({ visionX, langX: langX() })).rejects.toMatchObject({ code: "closed" });
  await expect(other.model.loadStateDict(file, { strict: false })).rejects.toMatchObject({ code: "closed" });
});

test("a load that fails leaves the model as it was, and a later one goes on from there", async () => {
  const folder = mkdtempSync(join(tmpdir(), "state-dicts-"));
  try {
    const other = await openTinyModelByName(tinyModel("tiny-openflamingo-9b"));
    const expected = (await other.model.forward({ visionX, langX: langX() })).logits;
    const tensors = await tensorsOf(golden("tiny-openflamingo-9b/checkpoint.pt"));
    const file = (name: string, change: (data: Float32Array) => void) => {
      const [key, { shape, data }] = [...tensors].find(([each]) => each.endsWith("perceiver.latents"))!;
      const changed = data.slice();
      change(changed);
      const path = join(folder, name);
      writeFileSync(path, safetensors(new Map([[key, { shape, data: changed }]])));
      return path;
    };
    const damaged = file("damaged.safetensors", (data) => data.fill(Number.NaN, 5, 6));
    await expect(other.model.loadStateDict(damaged, { strict: false })).rejects.toMatchObject({
      code: "weights-not-finite",
    });
    expect((await other.model.forward({ visionX, langX: langX() })).logits).toEqual(expected);
    await other.model.loadStateDict(
      file("other.safetensors", (data) => data.fill(0.5)),
      { strict: false },
    );
    const changed = (await other.model.forward({ visionX, langX: langX() })).logits;
    expect(changed).not.toEqual(expected);
    await other.model.loadStateDict(golden("tiny-openflamingo-9b/checkpoint.pt"), { strict: false });
    expect((await other.model.forward({ visionX, langX: langX() })).logits).toEqual(expected);
    await other.model.close();
  } finally {
    rmSync(folder, { recursive: true });
  }
});
