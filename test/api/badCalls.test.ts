/**
 * Calls that make no sense, as a program in JavaScript can make them: each gets an error that says what is wrong and
 * what to do.
 */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type ErrorCode, type Flamingo, image, load, OpenFlamingoError } from "../../src/index.js";
import { golden, randomModelFolder } from "../goldens.js";
import { rejected } from "../reliability.js";

const photo = golden("photos/rocket.jpg");
let flamingo: Flamingo;
beforeAll(async () => {
  flamingo = await load(randomModelFolder, { onNotice: () => {} });
});
afterAll(() => flamingo.close());

type Row = readonly [what: string, call: () => Promise<unknown>, message: string, code?: ErrorCode];

/** What TypeScript would not let through. */
const any = (value: unknown) => value as never;
const caption = (options: object) => () => flamingo.caption(photo, any(options));
const processor = (write: (logits: Float32Array) => void) =>
  caption({ processors: [({ logits }: { logits: Float32Array }) => write(logits)] });

const rows: readonly Row[] = [
  ["an empty text", () => flamingo.generate(""), "the prompt is empty"],
  ["an empty list", () => flamingo.generate([]), "the prompt is empty"],
  ["a number for a prompt", () => flamingo.generate(any(5)), "the prompt is 5; it must be a text"],
  ["null for a prompt", () => flamingo.generate(any(null)), "the prompt is null; it must be a text"],
  [
    "a number in a prompt's list",
    () => flamingo.generate([image(photo), any(5)]),
    "part 1 of the prompt is 5; it must be a text or an image(…)",
  ],
  [
    "an <image> without its image",
    () => flamingo.generate("<image>"),
    "1 <image> and 0 images",
    "image-count",
  ],
  [
    "an image without its <image>",
    () => flamingo.generate("a", { images: [photo] }),
    "0 <image>s and 1 image",
    "image-count",
  ],
  [
    "images that are no list",
    () => flamingo.generate("<image>", { images: any(photo) }),
    "; it must be a list",
  ],
  [
    "images beside a list",
    () => flamingo.generate([image(photo)], { images: [photo] }),
    "images belong to a prompt that is a text",
  ],
  [
    "a thousand images",
    () => flamingo.generate(Array.from({ length: 1000 }, () => image(photo))),
    "the prompt has 1000 tokens",
    "prompt-too-long",
  ],
  [
    "a question of a million letters",
    () => flamingo.ask(photo, "a".repeat(1e6)),
    "tokens",
    "prompt-too-long",
  ],
  [
    "a question of two million letters and more",
    () => flamingo.ask(photo, "a".repeat(2_000_001)),
    "characters",
  ],
  ["a number for an image", () => flamingo.caption(any(5)), "this is a number"],
  ["null for an image", () => flamingo.caption(any(null)), "this is null"],
  ["a number to embed", () => flamingo.embed({ images: [any(5)] }), "this is a number"],
  ["no question", () => flamingo.ask(photo, any(undefined)), "the question is absent; it must be a string"],
  ["shots that are no list", caption({ shots: "cats.jpg" }), 'shots is "cats.jpg"; it must be a list'],
  [
    "a shot without its text",
    caption({ shots: [{ image: photo }] }),
    "shots[0].text is missing; it must be a string",
  ],
  ["a misspelt option", caption({ maxNewTokenz: 3 }), 'caption has no option "maxNewTokenz"'],
  ["a text for a number", caption({ temperature: "hot" }), 'temperature is "hot"; it must be a number'],
  ["a signal that is none", caption({ signal: {} }), "signal is {}; it must be an AbortSignal"],
  [
    "more tokens than there are positions",
    caption({ maxNewTokens: 1e15 }),
    "the model has 128 positions",
    "prompt-too-long",
  ],
  ["half a token", caption({ maxNewTokens: 0.5 }), "maxNewTokens is 0.5"],
  [
    "beams and a temperature",
    caption({ beams: 2, temperature: 1 }),
    "temperature is for sampling and beams is 2",
  ],
  [
    "a length penalty without beams",
    caption({ lengthPenalty: 1 }),
    "lengthPenalty is for beam search and beams is 1",
  ],
  [
    "more answers than beams",
    caption({ beams: 2, returnSequences: 3 }),
    "returnSequences is 3, more than beams, which is 2",
  ],
  ["a temperature below 0", caption({ temperature: -1 }), "temperature is -1; it must be a number from 0"],
  ["top-p above 1", caption({ topP: 1.5 }), "topP is 1.5"],
  ["top-k of 0", caption({ topK: 0 }), "topK is 0"],
  ["a seed below 0", caption({ temperature: 1, seed: -1 }), "seed is -1"],
  ["an empty stop string", caption({ stop: [""] }), 'stop[0] is ""; it must be a string'],
  ["a stop string that is no list", caption({ stop: "." }), 'stop is "."; it must be a list'],
  [
    "a processor that is no function",
    caption({ processors: [5] }),
    "processors[0] is 5; it must be a function",
  ],
  [
    "a processor that is asynchronous, and fails later",
    caption({ processors: [() => Promise.reject(new Error("late"))] }),
    "one of them is asynchronous",
  ],
  [
    "a processor that writes NaN",
    processor((logits) => logits.fill(Number.NaN)),
    "a logit is NaN (row 0, step 0, token 0)",
  ],
  [
    "a processor that writes infinity",
    processor((logits) => logits.fill(Infinity, 3, 4)),
    "a logit is Infinity",
  ],
  [
    "a processor that leaves nothing",
    processor((logits) => logits.fill(-Infinity)),
    "leave no token possible",
  ],
  [
    "a processor that leaves beams nothing",
    caption({ beams: 3, processors: [({ logits }: { logits: Float32Array }) => logits.fill(-Infinity)] }),
    "leave no token possible",
  ],
  [
    "a processor that writes NaN to beams",
    caption({ beams: 3, processors: [({ logits }: { logits: Float32Array }) => logits.fill(Number.NaN)] }),
    "a logit is NaN",
  ],
  [
    "several answers as one stream",
    () => flamingo.stream("a", { temperature: 1, returnSequences: 2 }).next(),
    "a stream is one answer, and returnSequences is 2",
  ],
  [
    "a signal that is none, for labels",
    () => flamingo.classify(photo, ["a"], any({ signal: {} })),
    "signal is {}; it must be an AbortSignal",
  ],
  [
    "a signal that is none, for features",
    () => flamingo.embed({ images: [photo] }, any({ signal: {} })),
    "signal is {}; it must be an AbortSignal",
  ],
  ["no labels", () => flamingo.classify(photo, []), "labels is []; it must be a list of 1 to 50000"],
  ["an empty label", () => flamingo.classify(photo, ["a", ""]), 'labels[1] is ""; it must be a string'],
  [
    "a label that does not fit",
    () => flamingo.classify(photo, ["a ".repeat(500)]),
    "more may be generated",
    "prompt-too-long",
  ],
  ["a model that is a number", () => load(any(5)), "load: the model is 5; it must be the path of a folder"],
  ["a model by an empty path", () => load(""), 'load: the model is ""; it must be the path of a folder'],
  ["options that are a number", () => load(undefined, any(5)), "load: the options are 5, not an object"],
  ["options that are a text", caption(any("fast")), 'caption: the options are "fast", not an object'],
  ["nothing to embed", () => flamingo.embed({ images: [] }), "with at least one"],
];

const calls = rows.map(([what, call, message, code = "usage"]) => ({ what, call, message, code }));
test.each(calls)("$what", async ({ what, call, message, code }) => {
  const error = await call().then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(OpenFlamingoError);
  expect(error).toMatchObject({ code, message: expect.stringContaining(message), hint: expect.any(String) });
  rejected("Calls of the library", what, code);
});

/** Settings that are wrong, in a call whose image is not there: what is wrong with the image must not come first. */
const absent = "no such image.jpg";
const captions: readonly (readonly [object, string])[] = [
  [{ beams: 100_000 }, "beams is 100000; it must be an integer from 1 to 64"],
  [{ beams: "2" }, 'beams is "2"; it must be an integer from 1 to 64'],
  [{ beams: Number.NaN }, "beams is NaN"],
  [{ beams: 2, returnSequences: 3 }, "returnSequences is 3, more than beams, which is 2"],
  [
    { temperature: 1, returnSequences: 1e5 },
    "returnSequences is 100000; it must be an integer from 1 to 256",
  ],
  [{ beams: 2, earlyStopping: "sometimes" }, 'earlyStopping is "sometimes"'],
  [{ beams: 2, earlyStopping: "Never" }, 'earlyStopping is "Never"'],
  [{ beams: 2, earlyStopping: 1 }, "earlyStopping is 1"],
  [{ beams: 2, beamLength: "foo" }, 'beamLength is "foo"'],
  [{ beams: 2, beamLength: "gen" }, 'beamLength is "gen"'],
  [{ beams: 2, lengthPenalty: Number.POSITIVE_INFINITY }, "lengthPenalty is Infinity"],
  [{ temperature: -1 }, "temperature is -1"],
  [{ temperature: 1e-300 }, "temperature is 1e-300"],
  [{ temperature: null }, "temperature is null"],
  [{ topK: 1.5 }, "topK is 1.5"],
  [{ topP: 0 }, "topP is 0"],
  [{ minP: 2 }, "minP is 2"],
  [{ temperature: 1, seed: 0.5 }, "seed is 0.5"],
  [{ seed: "7" }, 'seed is "7"'],
  [{ repetitionPenalty: 0 }, "repetitionPenalty is 0"],
  [{ repetitionPenalty: 1e-300 }, "repetitionPenalty is 1e-300"],
  [{ noRepeatNgramSize: -1 }, "noRepeatNgramSize is -1"],
  [{ minNewTokens: "2" }, 'minNewTokens is "2"'],
  [{ minNewTokens: 9, maxNewTokens: 8 }, "minNewTokens is 9, more than maxNewTokens, which is 8"],
  [{ maxNewTokens: Number.NaN }, "maxNewTokens is NaN; it must be an integer ≥ 0"],
  [{ maxNewTokens: null }, "maxNewTokens is null; it must be an integer ≥ 0"],
  [{ stop: [""] }, 'stop[0] is ""; it must be a string that is not empty'],
  [{ stop: [5] }, "stop[0] is 5; it must be a string that is not empty"],
  [{ processors: {} }, "processors is {}; it must be a list"],
  [{ logProbs: "yes" }, 'logProbs is "yes"; it must be true or false'],
];
const rankings: readonly (readonly [string, () => Promise<unknown>, string])[] = [
  ["normalize", () => flamingo.classify(absent, ["a"], any({ normalize: "false" })), 'normalize is "false"'],
  ["normalize", () => flamingo.rank("a", ["a"], any({ normalize: 0 })), "normalize is 0"],
  ["labels", () => flamingo.classify(absent, any("abc")), 'labels is "abc"; it must be a list'],
  ["labels", () => flamingo.classify(absent, any(["a", 1])), "labels[1] is 1"],
  ["labels", () => flamingo.classify(absent, new Array(60_000).fill("a")), "it must be a list of 1 to 50000"],
  ["answers", () => flamingo.rank("a", any("b")), 'answers is "b"; it must be a list'],
  ["answers", () => flamingo.rank("a", any(undefined)), "answers is missing; it must be a list"],
  ["a misspelling", () => flamingo.rank("a", ["b"], any({ normalise: true })), "rank has no option"],
  ["a misspelling", () => flamingo.classify(absent, ["b"], any({ shot: [] })), "classify has no option"],
];
const early = [
  ...captions.map(([options, message]) => ({
    what: Object.keys(options).join(" and "),
    call: () => flamingo.caption(absent, any(options)),
    message,
  })),
  ...rankings.map(([what, call, message]) => ({ what, call, message })),
];
test.each(early)("$what: $message, before an image is looked at", async ({ call, message }) => {
  await expect(call()).rejects.toMatchObject({
    name: "OpenFlamingoError",
    code: "usage",
    message: expect.stringContaining(message),
    hint: expect.any(String),
  });
});

describe("what is strange and not wrong is answered", () => {
  test.each([
    ["half of a character", () => flamingo.ask(photo, "\ud800 what?")],
    ["special tokens typed by a user", () => flamingo.ask(photo, "<image><|endofchunk|><PAD>")],
    ["a text without any image", () => flamingo.generate("Output:")],
    ["a stop string of a million letters that never comes", caption({ stop: ["x".repeat(1e6)] })],
    ["ten thousand stop strings", caption({ stop: Array.from({ length: 10_000 }, (_, i) => `s${i}`) })],
    ["labels by dangerous names", () => flamingo.classify(photo, ["__proto__", "constructor", "toString"])],
    ["the same label twice", () => flamingo.classify(photo, ["a cat", "a cat"])],
  ])("%s", async (_, call) => {
    expect(await call()).toBeTruthy();
  });

  test("a processor's own error is the caller's, and the model stays usable", async () => {
    const mine = new TypeError("mine");
    const failing = flamingo.caption(photo, {
      processors: [
        () => {
          throw mine;
        },
      ],
    });
    await expect(failing).rejects.toBe(mine);
    expect((await flamingo.caption(photo)).text).not.toBe("");
  });

  test("every label has its number, whatever it is called", async () => {
    const found = await flamingo.classify(photo, ["__proto__", "10", "2", "a"]);
    expect(found.map(({ label }) => label).sort()).toEqual(["10", "2", "__proto__", "a"]);
    for (const { logProb } of found) expect(logProb).toBeLessThan(0);
  });
});

test("a configuration that says a thing twice is rejected, whichever of the two would be read", async () => {
  const folder = mkdtempSync(join(tmpdir(), "bad-calls-"));
  try {
    cpSync(randomModelFolder, folder, { recursive: true });
    const config = join(folder, "lang/config.json");
    writeFileSync(config, readFileSync(config, "utf8").replace("{", '{"n_layers": 8, "n_layers": 9, '));
    await expect(load(folder)).rejects.toMatchObject({
      code: "model-invalid",
      message: `${config}: holds the name "n_layers" twice`,
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("limits of readers can be set", async () => {
  await expect(
    load(randomModelFolder, { limits: { checkpoints: { pickleSteps: 100 } } }),
  ).rejects.toMatchObject({
    code: "checkpoint-rejected",
    message: expect.stringContaining("more than 100"),
  });
});

test("a closed model says so", async () => {
  const closed = await load(randomModelFolder, { onNotice: () => {} });
  await closed.close();
  await closed.close();
  await expect(closed.caption(photo)).rejects.toMatchObject({
    code: "closed",
    message: "the model is closed",
  });
});
