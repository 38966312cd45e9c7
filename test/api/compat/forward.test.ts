/**
 * The compatible API's `forward`, `cacheMedia` and `pastKeyValues` beside the reference implementation's, errors[]
 * among it.
 */
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { compared } from "../../parity.js";
import { largestDifference, tinyModel9bWith, tinyModelsWith } from "../../tinyModel.js";
import { createTinyModel, type OpenedTinyModel, openTinyModelByName } from "./opened.js";

interface ForwardCase {
  readonly name: string;
  readonly pictures: readonly (readonly string[])[];
  readonly input_ids: readonly (readonly number[])[];
  readonly attention_mask: readonly (readonly number[])[];
}

interface RankCase {
  readonly name: string;
  readonly pictures: readonly (readonly string[])[];
  readonly prompts: readonly string[];
  readonly class_tokens: readonly (readonly number[])[];
  readonly results: readonly {
    readonly use_cache: boolean;
    readonly cache?: "in place";
    readonly normalize_length: boolean;
    readonly logprobs: readonly (readonly number[])[];
  }[];
}

const bound = 1e-4;

describe.each(tinyModelsWith("forward.json", "the compatible API's forward"))("$name", (golden) => {
  const { ids, contextLength, imageSize: side } = golden;
  const { cases } = golden.goldenJson<{ cases: ForwardCase[] }>("forward.json");
  const expected = golden.goldenTensors("forward.safetensors");
  let opened: OpenedTinyModel;
  beforeAll(async () => {
    opened = await openTinyModelByName(golden);
    opened.tokenizer.paddingSide = "left";
  });
  afterAll(() => opened.model.close());

  test.each(cases)("logits of $name", async ({ name, pictures: images, input_ids, attention_mask }) => {
    const { logits } = await opened.model.forward({
      visionX: opened.visionX(images),
      langX: input_ids,
      attentionMask: attention_mask,
    });
    const reference = (await expected).get(`logits.${name}`)!;
    expect(logits.shape).toEqual(reference.shape);
    let largest = 0;
    let values = 0;
    attention_mask.flat().forEach((shown, at) => {
      if (shown === 0) return;
      for (let i = at * ids.size; i < (at + 1) * ids.size; i++) {
        largest = Math.max(largest, Math.abs(logits.data[i]! - reference.data[i]!));
        values++;
      }
    });
    compared(`compatible API/logits/${golden.name}`, { cases: 1, values, largest, bound });
    expect(largest).toBeLessThan(bound);
  });

  describe("ranking as the reference implementation's evaluation does it, by forwards over cached media", () => {
    const ranked = golden.goldenJson<{ cases: RankCase[] }>("rank_classification.json").cases;
    // The 1B's own code changes the keys and values that it is given in place.
    const changesInPlace = golden.family === "mosaic_gpt";
    const runs = ranked.flatMap(({ results, ...given }) =>
      results
        .filter(({ use_cache }) => use_cache)
        .map((result) => ({ ...given, ...result, inPlace: changesInPlace || result.cache === "in place" })),
    );

    let leftOut = 0;
    afterAll(() => {
      console.log(
        `${golden.name}: ${leftOut} padded rows of ranking left out: the reference implementation shows class names the padding`,
      );
    });

    test.each(runs)("$name, cache in place: $inPlace, mean: $normalize_length", async (run) => {
      const { model, tokenizer, visionX } = opened;
      const { inputIds, attentionMask } = tokenizer([...run.prompts], { padding: true });
      await model.cacheMedia({ inputIds, visionX: visionX(run.pictures) });
      const context = await model.forward({
        langX: inputIds,
        attentionMask,
        clearConditionedLayers: false,
        useCache: true,
      });
      const last = lastRows(context.logits.data, run.prompts.length, ids.size);
      let past = context.pastKeyValues;
      const found = run.prompts.map((): number[] => []);
      for (const tokens of run.class_tokens) {
        const { logits, pastKeyValues } = await model.forward({
          langX: run.prompts.map(() => tokens),
          clearConditionedLayers: false,
          pastKeyValues: past,
          useCache: run.inPlace,
        });
        if (run.inPlace) past = pastKeyValues;
        found.forEach((row, b) => {
          const sum = tokens.reduce((total, token, t) => {
            const at = (b * tokens.length + t - 1) * ids.size;
            const before = t === 0 ? last[b]! : logits.data.subarray(at, at + ids.size);
            return total + logProbability(before, token);
          }, 0);
          row.push(run.normalize_length ? sum / tokens.length : sum);
        });
      }
      model.uncacheMedia();
      past!.close();
      // The reference implementation shows class names the padding before shorter prompts; here nothing ever sees
      // padding.
      const unpadded = attentionMask.flatMap((row, b) => (row.includes(0) ? [] : [b]));
      expect(unpadded.length).toBeGreaterThan(0);
      leftOut += attentionMask.length - unpadded.length;
      const differences = unpadded.flatMap((b) =>
        found[b]!.map((value, i) => Math.abs(value - run.logprobs[b]![i]!)),
      );
      const largest = Math.max(...differences);
      compared(`compatible API/ranking/${golden.name}`, {
        cases: 1,
        values: differences.length,
        largest,
        bound,
      });
      expect(largest).toBeLessThan(bound);
    });
  });

  describe("what the reference implementation rejects is rejected, and what it accepts is accepted or rejected with the reason", () => {
    const { errors } = golden.goldenJson<{
      errors: { case: string; error?: string; output_shape?: number[] }[];
    }>("forward.json");
    const one = () => opened.tokenizer("<image>Output:").inputIds;
    const pixels = (shape: readonly number[]) => ({
      shape,
      data: new Float32Array(shape.reduce((a, b) => a * b, 1)),
    });
    const calls: Readonly<Record<string, { call: () => Promise<unknown>; message: string }>> = {
      "no vision_x": {
        call: () => opened.model.forward({ langX: one() }),
        message: "forward has no visionX, and no media are cached",
      },
      "vision_x of five dimensions": {
        call: () => opened.model.forward({ langX: one(), visionX: pixels([1, 1, 3, side, side]) }),
        message: "it should be of shape (b, T_img, F, C, H, W)",
      },
      "two frames": {
        call: () => opened.model.forward({ langX: one(), visionX: pixels([1, 1, 2, 3, side, side]) }),
        message: "only a single frame is supported",
      },
      "wrong picture size": {
        call: () => opened.model.forward({ langX: one(), visionX: pixels([1, 1, 1, 3, side + 8, side + 8]) }),
        message: `this model's images are (3, ${side}, ${side})`,
      },
      "longer than the model's positions": {
        call: () =>
          opened.model.forward({
            langX: [Array.from({ length: contextLength + 5 }, () => 1)],
            visionX: pixels([1, 1, 1, 3, side, side]),
          }),
        message: `the model has ${contextLength} positions`,
      },
      "token id beyond the vocabulary": {
        call: () => opened.model.forward({ langX: [[ids.size]], visionX: pixels([1, 1, 1, 3, side, side]) }),
        message: `row 0 has the id ${ids.size} at position 0, the model has 0 to ${ids.size - 1}`,
      },
    };

    // The sizes that a case mentions are in brackets.
    const kinds = errors.map(({ case: name }) => name.replace(/ \(.*\)$/, ""));
    const broadcast = "two rows of text, one of pictures";

    test.each(kinds.filter((kind) => kind !== broadcast))("%s", async (kind) => {
      const { call, message } = calls[kind]!;
      await expect(call()).rejects.toMatchObject({
        name: "OpenFlamingoError",
        message: expect.stringContaining(message),
      });
    });

    test("two rows of text, one of images: both rows see it, as there", async () => {
      const langX = [...one(), ...one()];
      const shared = await opened.model.forward({ langX, visionX: opened.visionX([["p1"]]) });
      const own = await opened.model.forward({ langX, visionX: opened.visionX([["p1"], ["p1"]]) });
      expect(shared.logits).toEqual(own.logits);
      expect(kinds.toSorted()).toEqual([...Object.keys(calls), broadcast].sort());
    });
  });

  test("the loss is that of the reference implementation's loop: labels shifted by one, −100 left out", async () => {
    const { inputIds } = opened.tokenizer("<image>Output:a small dog<|endofchunk|>");
    const visionX = opened.visionX([["p0"]]);
    const labels = inputIds.map((row) => row.map((id) => (id === ids.image ? -100 : id)));
    const { logits, loss } = await opened.model.forward({ langX: inputIds, visionX, labels });
    const targets = labels[0]!.slice(1);
    const each = targets.map((label, t) =>
      logProbability(logits.data.subarray(t * ids.size, (t + 1) * ids.size), label),
    );
    expect(loss).toBeCloseTo(-each.reduce((a, b) => a + b) / each.length, 5);
    const most = await opened.model.forward({
      langX: inputIds,
      visionX,
      labels: labels.map((row) => row.map((label, t) => (t === 2 ? label : -100))),
    });
    expect(most.loss).toBeCloseTo(-each[1]!, 5);
  });
});

describe.each(tinyModel9bWith("forward.json", "labels"))("labels: $name", (golden) => {
  const { ids, contextLength } = golden;
  let opened: OpenedTinyModel;
  beforeAll(async () => {
    opened = await openTinyModelByName(golden);
    opened.tokenizer.paddingSide = "left";
  });
  afterAll(() => opened.model.close());

  /** An id that is not special, like the one after it. */
  const label = Math.floor(ids.endofchunk / 4);

  /** Two rows, the first with padding at the left, and labels of a row's tokens without padding; −100 elsewhere. */
  const labelled = (given: Readonly<Record<string, number>>) => {
    const texts = ["<image>a", "<image>Output:a dog"];
    const { inputIds, attentionMask } = opened.tokenizer(texts, { padding: true });
    const start = Array.from(attentionMask[0]!).indexOf(1);
    expect(start).toBeGreaterThan(1);
    const labels = inputIds.map((row, r) =>
      Array.from(row, (_, t) => given[`${r} ${t - (r === 0 ? start : 0)}`] ?? -100),
    );
    return { start, args: { langX: inputIds, attentionMask, labels } };
  };
  const visionX = () => opened.visionX([["p0"], ["p1"]]);
  const late = () => Promise.reject(new Error("the image comes too late"));

  test("of the first token after padding at the left is rejected: nothing predicts it", async () => {
    const { start, args } = labelled({ "0 0": label });
    await expect(opened.model.forward({ ...args, visionX: visionX() })).rejects.toMatchObject({
      code: "usage",
      message: `labels: row 0 has ${label} at position ${start}`,
    });
  });

  test("of the second is what the first predicts; of the first of a row without padding left out", async () => {
    const { start, args } = labelled({ "0 1": label, "1 0": label + 1 });
    const { logits, loss } = await opened.model.forward({ ...args, visionX: visionX() });
    const first = logits.data.subarray(start * ids.size, (start + 1) * ids.size);
    expect(loss).toBeCloseTo(-logProbability(first, label), 5);
  });

  test.each([
    ["on padding", { "0 -1": label }, `labels: row 0 has ${label} at position`],
    ["of no token", { "1 2": ids.size }, `labels: row 1 has ${ids.size} at position 2`],
    ["that is a fraction", { "1 2": 0.5 }, "labels: row 1 has 0.5 at position 2"],
    ["below 0", { "1 2": -1 }, "labels: row 1 has -1 at position 2"],
  ])("%s is rejected before an image is looked at", async (_, given, message) => {
    const { args } = labelled(given);
    await expect(opened.model.forward({ ...args, visionX: late() })).rejects.toMatchObject({
      code: "usage",
      message: expect.stringContaining(message),
    });
  });

  test("of another shape, and texts that are too long, are rejected before an image is looked at", async () => {
    const { args } = labelled({});
    const labels = args.labels.map((row) => row.slice(1));
    await expect(opened.model.forward({ ...args, labels, visionX: late() })).rejects.toThrow(
      "labels are not (2, ",
    );
    const langX = [Array.from({ length: contextLength + 5 }, () => 1)];
    await expect(opened.model.forward({ langX, visionX: late() })).rejects.toMatchObject({
      code: "prompt-too-long",
    });
  });
});

describe.each(tinyModel9bWith("forward.json", "cached media"))("cached media: $name", (golden) => {
  const { ids } = golden;
  let opened: OpenedTinyModel;
  beforeAll(async () => {
    opened = await openTinyModelByName(golden);
  });
  afterAll(() => opened.model.close());
  const text = (words: string) => opened.tokenizer(words).inputIds;
  const cache = async () => {
    const inputIds = text("<image>Output:");
    await opened.model.cacheMedia({ inputIds, visionX: opened.visionX([["p0"]]) });
    return inputIds;
  };

  test("are forgotten by a forward unless switched off, until they are uncached", async () => {
    const langX = await cache();
    await opened.model.forward({ langX, clearConditionedLayers: false });
    await opened.model.forward({ langX });
    await expect(opened.model.forward({ langX })).rejects.toThrow("has forgotten the cached media");
    opened.model.uncacheMedia();
    await opened.model.forward({ langX, visionX: opened.visionX([["p0"]]) });
  });

  test("exclude a visionX", async () => {
    const langX = await cache();
    await expect(opened.model.forward({ langX, visionX: opened.visionX([["p0"]]) })).rejects.toThrow(
      "forward has a visionX, and media are cached",
    );
    opened.model.uncacheMedia();
  });

  test("a past goes on as often as one likes, and is rejected once another text stands in its place", async () => {
    const langX = await cache();
    const keep = { clearConditionedLayers: false, useCache: true };
    const { pastKeyValues: first } = await opened.model.forward({ langX, ...keep });
    const dog = await opened.model.forward({ langX: text("a dog"), pastKeyValues: first, ...keep });
    const whole = await opened.model.forward({
      langX: text("<image>Output:a dog"),
      clearConditionedLayers: false,
    });
    const lastOf = ({ logits }: { logits: { data: Float32Array } }) => logits.data.slice(-ids.size);
    expect(largestDifference(lastOf(dog), lastOf(whole))).toBeLessThan(bound);
    const cat = await opened.model.forward({ langX: text("a cat"), pastKeyValues: first, ...keep });
    const again = await opened.model.forward({ langX: text("a dog"), pastKeyValues: first, ...keep });
    expect(lastOf(again)).toEqual(lastOf(dog));
    await expect(
      opened.model.forward({ langX: text("!"), pastKeyValues: cat.pastKeyValues, ...keep }),
    ).rejects.toThrow("another text was read after the same beginning");
    await cache();
    await expect(opened.model.forward({ langX: text("!"), pastKeyValues: first, ...keep })).rejects.toThrow(
      "pastKeyValues belong to other media",
    );
    opened.model.uncacheMedia();
  });
});

const closedPasts = tinyModel9bWith("forward.json", "closed pasts");
test.each(closedPasts)("a closed past is rejected, a misspelt argument too: $name", async (golden) => {
  const { model, tokenizer, visionX } = await openTinyModelByName(golden);
  const { inputIds } = tokenizer("<image>Output:");
  await model.cacheMedia({ inputIds, visionX: visionX([["p0"]]) });
  const keep = { clearConditionedLayers: false, useCache: true };
  const { pastKeyValues } = await model.forward({ langX: inputIds, ...keep });
  pastKeyValues!.close();
  const after = { langX: tokenizer("a").inputIds, pastKeyValues, ...keep };
  await expect(model.forward(after)).rejects.toMatchObject({
    code: "usage",
    message: "pastKeyValues are closed",
  });
  const misspelt = { langX: inputIds, attention_mask: inputIds } as never;
  await expect(model.forward(misspelt)).rejects.toThrow('forward has no option "attention_mask"');
  await model.close();
});

describe.each(tinyModel9bWith("forward.json", "loading of weights"))("weights", (golden) => {
  const checkpoint = join(golden.folder, "checkpoint.pt");

  test("a model without them says what to do", async () => {
    const { model, tokenizer } = await createTinyModel(golden);
    const { inputIds } = tokenizer("<image>");
    const side = golden.imageSize;
    const visionX = { shape: [1, 1, 1, 3, side, side], data: new Float32Array(3 * side * side) };
    await expect(model.forward({ langX: inputIds, visionX })).rejects.toMatchObject({
      code: "checkpoint-missing",
    });
    await model.close();
  });

  test("a checkpoint of the trained part lacks the frozen ones: reported, and rejected if strict", async () => {
    const { model } = await createTinyModel(golden);
    const { missingKeys, unexpectedKeys } = await model.loadStateDict(checkpoint, { strict: false });
    expect(missingKeys).toContain("lang_encoder.transformer.blocks.0.attn.Wqkv.weight");
    expect(missingKeys.some((name) => name.startsWith("perceiver."))).toBe(false);
    expect(unexpectedKeys).toEqual([]);
    await expect(model.loadStateDict(checkpoint)).rejects.toMatchObject({
      code: "checkpoint-mismatch",
      message: expect.stringContaining("0 unexpected"),
    });
    await model.close();
  });
});

const lastRows = (data: Float32Array, rows: number, V: number) =>
  Array.from({ length: rows }, (_, b) => {
    const end = (data.length / rows) * (b + 1);
    return data.subarray(end - V, end);
  });

const logProbability = (logits: Float32Array, token: number): number =>
  logits[token]! - Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit), 0));
