/** The high-level API, with the 9b tiny model, which is the bundled one. */
import { cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { collectAnswers } from "../../src/generate/answers.js";
import { type Flamingo, image, load, readShots } from "../../src/index.js";
import { golden } from "../goldens.js";
import { compared } from "../parity.js";
import { slowTest } from "../slow.js";
import { safetensors, tensorsOf } from "../tensors.js";
import { tinyModel9bWith } from "../tinyModel.js";

const [model] = tinyModel9bWith("generation.json", "the high-level API");
const photo = (name: string) => golden(`tiny-openflamingo-9b/golden/pictures/${name}.png`);

let flamingo: Flamingo;
beforeAll(async () => {
  if (model) flamingo = await load(model.folder);
});
beforeEach(({ skip }) => skip(!model, "the 9b tiny model is not at hand"));
afterAll(() => flamingo?.close());

interface GenerationCase {
  readonly name: string;
  readonly prompts: readonly string[];
  readonly pictures: readonly (readonly string[])[];
  readonly kwargs: Record<string, number>;
  readonly text_skip_special_tokens: readonly string[];
  readonly sequences_scores?: readonly number[];
  readonly new_tokens: readonly (readonly number[])[];
}
const cases = model?.goldenJson<{ cases: GenerationCase[] }>("generation.json").cases ?? [];
/** Cases of one prompt, with an image for each `<image>`, that set nothing but what is given. */
const casesWith = (...settings: readonly string[]) =>
  cases.filter(
    ({ prompts, pictures, kwargs }) =>
      prompts.length === 1 &&
      prompts[0]!.split("<image>").length - 1 === pictures[0]!.length &&
      Object.keys(kwargs).every((key) => settings.includes(key)),
  );
const caseOf = (name: string) => cases.find((each) => each.name === name)!;

/** The reference implementation's greedy captions, which are those of `caption` as well. */
const captions = {
  p0: () => caseOf("greedy_single"),
  p1: () => caseOf("greedy_other_picture"),
};
const captionOf = (name: keyof typeof captions) => captions[name]().text_skip_special_tokens[0]!;

test.each(casesWith("max_new_tokens"))(
  "generate gives the reference implementation's answer: $name",
  async ({ prompts, pictures: images, kwargs, text_skip_special_tokens, new_tokens }) => {
    const answer = await flamingo.generate(prompts[0]!, {
      images: images[0]!.map(photo),
      maxNewTokens: kwargs.max_new_tokens,
    });
    compared("high-level API/greedy answers/tiny-openflamingo-9b", {
      cases: 1,
      values: answer.ids.length + 1,
    });
    expect(answer.text).toBe(text_skip_special_tokens[0]);
    expect(answer.ids).toEqual(new_tokens[0]!.slice(0, answer.ids.length));
    expect(answer.finishReason).toBe(answer.ids.at(-1) === model!.ids.endofchunk ? "endofchunk" : "length");
  },
);

test("a list of images and texts, few-shot, is the template that it stands for", async () => {
  const list = await flamingo.generate([
    image(photo("p0")),
    "Output:An image of two children.",
    image(photo("p1")),
    "Output:",
  ]);
  const template = await flamingo.generate(
    "<image>Output:An image of two children.<|endofchunk|><image>Output:",
    {
      images: [photo("p0"), photo("p1")],
    },
  );
  const caption = await flamingo.caption(photo("p1"), {
    shots: [{ image: photo("p0"), text: "An image of two children." }],
  });
  expect(list).toEqual(template);
  expect(caption).toEqual(template);
});

test("images come as path, file URL, bytes and Blob", async () => {
  const { readFile } = await import("node:fs/promises");
  const { pathToFileURL } = await import("node:url");
  const bytes = new Uint8Array(await readFile(photo("p0")));
  const answers = [];
  for (const source of [photo("p0"), pathToFileURL(photo("p0")), bytes, new Blob([bytes])]) {
    answers.push((await flamingo.caption(source)).text);
  }
  expect(new Set(answers).size).toBe(1);
});

describe("streaming", () => {
  test("the pieces together are the answer", async () => {
    const prompt = flamingo.captionPrompt(photo("p0"));
    const [streamed] = await collectAnswers(flamingo.stream(prompt), { logProbs: false, returnSequences: 1 });
    expect(streamed).toEqual(await flamingo.caption(photo("p0")));
  });

  test("leaving the loop stops the work, and the model stays usable", async () => {
    for await (const piece of flamingo.stream(flamingo.captionPrompt(photo("p0")))) {
      expect(piece.finishReason).toBeUndefined();
      break;
    }
    expect((await flamingo.caption(photo("p1"))).text).toBe(captionOf("p1"));
  });

  test("two answers at the same time do not mix", async () => {
    const [first, second] = await Promise.all([flamingo.caption(photo("p0")), flamingo.caption(photo("p1"))]);
    expect(first!.text).toBe(captionOf("p0"));
    expect(second!.text).toBe(captionOf("p1"));
  });
});

describe("stopping", () => {
  test("a signal that is aborted already stops before any work", async () => {
    const signal = AbortSignal.abort(new Error("enough"));
    await expect(flamingo.caption(photo("p0"), { signal })).rejects.toThrow("enough");
  });

  test("a signal stops between tokens, with its own reason", async () => {
    const controller = new AbortController();
    const seen: string[] = [];
    const reading = async () => {
      for await (const piece of flamingo.stream(flamingo.captionPrompt(photo("p0")), {
        signal: controller.signal,
      })) {
        seen.push(piece.text);
        controller.abort(new Error("enough"));
      }
    };
    await expect(reading()).rejects.toThrow("enough");
    expect(seen).toHaveLength(1);
  });

  test("loading is stopped too", async () => {
    await expect(load(undefined, { signal: AbortSignal.abort(new Error("enough")) })).rejects.toThrow(
      "enough",
    );
  });
});

describe("length and end", () => {
  test("stop strings end the answer and are cut off", async () => {
    const whole = captionOf("p0");
    const middle = whole.slice(Math.floor(whole.length / 3), Math.floor(whole.length / 2));
    const answer = await flamingo.caption(photo("p0"), { stop: [middle, `${whole} and never this`] });
    expect(answer).toMatchObject({ text: whole.slice(0, whole.indexOf(middle)), finishReason: "stop" });
  });

  test("fewest and most tokens", async () => {
    const maxNewTokens = Math.floor(captions.p0().new_tokens[0]!.length / 2);
    const short = await flamingo.caption(photo("p0"), { maxNewTokens });
    expect(short.ids).toHaveLength(maxNewTokens);
    expect(short.finishReason).toBe("length");
    const long = await flamingo.caption(photo("p1"), { minNewTokens: 14, maxNewTokens: 18 });
    expect(long.ids.length).toBeGreaterThan(14);
    expect(long.ids.slice(0, 14)).not.toContain(model!.ids.endofchunk);
    expect(await flamingo.caption(photo("p0"), { maxNewTokens: 0 })).toEqual({
      text: "",
      ids: [],
      finishReason: "length",
    });
  });

  test("log-probabilities, one for each token, only if asked for", async () => {
    const { ids, logProbs } = await flamingo.caption(photo("p0"), { logProbs: true });
    expect(logProbs).toHaveLength(ids.length);
    expect(logProbs!.every((value) => value <= 0)).toBe(true);
    expect(await flamingo.caption(photo("p0"))).not.toHaveProperty("logProbs");
  });

  test.each([
    [{ maxNewTokens: -1 }, "maxNewTokens is -1"],
    [{ maxNewTokens: 1.5 }, "maxNewTokens is 1.5"],
    [{ minNewTokens: 30 }, "minNewTokens is 30, more than maxNewTokens"],
    [{ stop: [""] }, "stop"],
  ])("%o is rejected", async (options, message) => {
    await expect(flamingo.caption(photo("p0"), options as never)).rejects.toMatchObject({
      code: "usage",
      message: expect.stringContaining(message),
    });
  });

  test("a prompt that does not fit together with its answer is rejected before any image is read", async () => {
    const rejected = flamingo.generate(`<image>${"word ".repeat(model!.contextLength)}`, {
      images: ["not-there.jpg"],
      maxNewTokens: 20,
    });
    await expect(rejected).rejects.toMatchObject({
      code: "prompt-too-long",
      message: expect.stringContaining(`${model!.contextLength} positions`),
    });
  });
});

describe("beams", () => {
  const searched = casesWith("max_new_tokens", "num_beams", "length_penalty", "num_return_sequences");
  test.each(searched.filter(({ kwargs }) => kwargs.num_beams))(
    "generate gives the reference implementation's answers and scores: $name",
    async ({ prompts, pictures: images, kwargs, text_skip_special_tokens, sequences_scores }) => {
      const answer = await flamingo.generate(prompts[0]!, {
        images: images[0]!.map(photo),
        maxNewTokens: kwargs.max_new_tokens,
        beams: kwargs.num_beams!,
        lengthPenalty: kwargs.length_penalty,
        returnSequences: kwargs.num_return_sequences,
      });
      const all = answer.sequences ?? [answer];
      compared("high-level API/beam answers/tiny-openflamingo-9b", { cases: 1, values: all.length });
      expect(all.map(({ text }) => text)).toEqual(text_skip_special_tokens);
      all.forEach(({ score }, i) => {
        expect(score! / sequences_scores![i]!).toBeCloseTo(1, 4);
      });
      expect(all[0]).toMatchObject({ text: answer.text, score: answer.score });
    },
  );

  test("a stream of a beam search is its one answer", async () => {
    const prompt = flamingo.captionPrompt(photo("p0"));
    const options = { beams: 3, maxNewTokens: 12 };
    const [streamed] = await collectAnswers(flamingo.stream(prompt, options), {
      logProbs: false,
      returnSequences: 1,
    });
    const { score: _, ...whole } = await flamingo.generate(prompt, options);
    expect(streamed).toEqual(whole);
  });
});

test("a seed gives the same samples every time, and several samples differ", async () => {
  const options = { temperature: 2, seed: 7, returnSequences: 3 };
  const first = await flamingo.caption(photo("p0"), options);
  expect(await flamingo.caption(photo("p0"), options)).toEqual(first);
  expect(new Set(first.sequences!.map(({ text }) => text)).size).toBe(3);
  expect((await flamingo.caption(photo("p0"), { ...options, seed: 8 })).text).not.toBe(first.text);
});

test("custom processors see row, step, ids and logits, and decide", async () => {
  const steps: number[] = [];
  // Ids of three tokens that are not special.
  const first = Math.floor(model!.ids.endofchunk / 4);
  const { ids } = await flamingo.caption(photo("p0"), {
    maxNewTokens: 3,
    processors: [
      ({ step, logits }) => {
        steps.push(step);
        logits.fill(Number.NEGATIVE_INFINITY);
        logits[first + step] = 0;
      },
    ],
  });
  expect(ids).toEqual([first, first + 1, first + 2]);
  expect(steps).toEqual([0, 1, 2]);
});

describe("ranking", () => {
  interface RankCase {
    readonly prompts: readonly string[];
    readonly pictures: readonly (readonly string[])[];
    readonly classes: readonly string[];
    readonly results: readonly { use_cache: boolean; normalize_length: boolean; logprobs?: number[][] }[];
  }
  const file = "rank_classification.json";

  test("rank gives the reference implementation's log-probabilities, as means and as sums", async () => {
    const { cases } = model!.goldenJson<{ cases: RankCase[] }>(file);
    const { prompts, pictures, classes, results } = cases.find((each) => each.prompts.length === 1)!;
    for (const { use_cache, normalize_length, logprobs } of results) {
      if (use_cache || !logprobs) continue;
      const images = pictures[0]!.map(photo);
      const ours = await flamingo.rank(prompts[0]!, classes, { images, normalize: normalize_length });
      const largest = Math.max(...ours.map((value, i) => Math.abs(value - logprobs[0]![i]!)));
      const of = { largest, bound: 1e-4 };
      compared("high-level API/ranking/tiny-openflamingo-9b", { cases: 1, values: ours.length, ...of });
      expect(largest).toBeLessThan(of.bound);
    }
  });

  test("classify takes the most probable label", async () => {
    const labels = ["A woman", "a boat"];
    const found = await flamingo.classify(photo("p0"), labels);
    const scores = await flamingo.rank("<image>Output:", labels, { images: [photo("p0")] });
    const order = [...labels.keys()].sort((a, b) => scores[b]! - scores[a]!);
    expect(found.map(({ label }) => label)).toEqual(order.map((i) => labels[i]));
    expect(found.map(({ logProb }) => logProb)).toEqual(order.map((i) => scores[i]));
    expect(found.reduce((sum, { probability }) => sum + probability, 0)).toBeCloseTo(1, 12);
    expect(Math.log(found[0]!.probability / found[1]!.probability)).toBeCloseTo(
      scores[order[0]!]! - scores[order[1]!]!,
      9,
    );
  });
});

describe("settings that exclude each other are rejected", () => {
  test.each([
    [{ beams: 3, temperature: 1 }, "temperature is for sampling and beams is 3"],
    [{ lengthPenalty: 1 }, "lengthPenalty is for beam search and beams is 1"],
    [{ returnSequences: 2 }, "returnSequences is 2"],
    [{ beams: 2, returnSequences: 3 }, "3"],
    [{ temperature: 0, returnSequences: 2 }, "returnSequences is 2"],
    [{ temperature: -1 }, "temperature"],
    [{ topP: 2 }, "topP"],
    [{ temperature: 1, seed: -1 }, "seed is -1"],
  ])("%o", async (options, message) => {
    await expect(flamingo.caption(photo("p0"), options as never)).rejects.toMatchObject({
      code: "usage",
      message: expect.stringContaining(message),
    });
  });
});

test("the model never writes <image> itself, even where that is most probable", async () => {
  const { ids } = await flamingo.generate("Output:");
  const folder = mkdtempSync(join(tmpdir(), "image-token-"));
  cpSync(model!.folder, folder, { recursive: true });
  const tensors = await tensorsOf(join(model!.folder, "checkpoint.pt"));
  // `<image>`'s row becomes that of the answer's first token, and a little longer: its logit is then the greatest.
  const { data, shape } = tensors.get("lang_encoder.transformer.wte.weight")!;
  const width = shape[1]!;
  for (let i = 0; i < width; i++) data[model!.ids.image * width + i] = 1.01 * data[ids[0]! * width + i]!;
  writeFileSync(join(folder, "checkpoint.pt"), safetensors(tensors));
  await using changed = await load(folder);
  const without = await changed.generate("Output:");
  expect(without.ids).not.toContain(model!.ids.image);
  rmSync(folder, { recursive: true });
});

describe("shots files", () => {
  const folder = mkdtempSync(join(tmpdir(), "shots-"));
  const file = (content: string) => {
    const path = join(folder, "shots.json");
    writeFileSync(path, content);
    return path;
  };

  test("paths are relative to the file", async () => {
    const [shot] = await readShots(file('[{"image": "sub/cat.jpg", "text": "a cat"}]'));
    expect(shot).toEqual({ image: join(folder, "sub/cat.jpg"), text: "a cat" });
    const addresses = ["data:image/png;base64,AA==", "https://example.org/cat.jpg"];
    const shots = addresses.map((image) => ({ image, text: "a cat" }));
    const found = await readShots(file(JSON.stringify(shots)));
    expect(found.map(({ image }) => image)).toEqual(addresses);
    const [asked] = await readShots(file('[{"image": "a.jpg", "question": "Who?", "answer": "me"}]'), "ask");
    expect(asked).toMatchObject({ question: "Who?", answer: "me" });
  });

  test.each([
    ["not JSON", "{", "is not valid JSON"],
    ["no list", "{}", "it must be a list"],
    ["no image", '[{"text": "a"}]', "[0].image is missing; it must be a string"],
    ["a number for a text", '[{"image": "a", "text": 1}]', "[0].text is 1; it must be a string"],
    ["a field too many", '[{"image": "a", "text": "b", "label": "c"}]', '"[0].label" is no key'],
  ])("%s is rejected with a specific error", async (_, content, message) => {
    await expect(readShots(file(content))).rejects.toMatchObject({
      code: "shots-invalid",
      message: expect.stringContaining(message),
    });
  });

  test("a file that is not there is rejected with a specific error", async () => {
    await expect(readShots(join(folder, "none.json"))).rejects.toMatchObject({ code: "shots-invalid" });
  });
});

slowTest("100 answers leave no memory behind", async () => {
  const answer = () => flamingo.caption(photo("p0"), { maxNewTokens: 4 });
  const resident = async (count: number) => {
    for (let i = 0; i < count; i++) await answer();
    globalThis.gc?.();
    return process.memoryUsage.rss() / 2 ** 20;
  };
  const before = await resident(20);
  const after = await resident(100);
  console.log(`resident after 20 answers ${before.toFixed(0)} MiB, after 100 more ${after.toFixed(0)} MiB`);
  // A leak of one cache (1.2 MB) or one set of media a time would show as more than 100 MiB.
  expect(after - before).toBeLessThan(50);
});
