/**
 * Closing while calls are under way: they are rejected as closed, and native code has ended before memory is released.
 */
import { setTimeout as wait } from "node:timers/promises";
import { afterAll, describe, expect, test } from "vitest";
import { createModelAndTransforms, load } from "../../src/index.js";
import { zeros } from "../../src/runtime/hostTensor.js";
import { golden, randomModelFolder } from "../goldens.js";
import { slowTest } from "../slow.js";
import { backends } from "./backends.js";
import { addition, chain, floats } from "./programs.js";

const closed = (what: string) => ({
  name: "OpenFlamingoError",
  code: "closed",
  message: `${what} was closed`,
  hint: "Await the calls under way before close(), and load the model again for others.",
});
/** Until a run that was asked for is under way. */
const begun = () => new Promise((resolve) => setImmediate(resolve));
const rejections: unknown[] = [];
const note = (reason: unknown) => void rejections.push(reason);
process.on("unhandledRejection", note);
afterAll(() => {
  process.off("unhandledRejection", note);
  expect(rejections).toEqual([]);
});

describe.each(backends)("on $name", ({ name, open }) => {
  const long = chain(60, 512, () => 0);
  const large = chain(6_000, 8);
  const x = zeros("float32", [512, 512]);
  const a = floats([1, 3], [1, 2, 3]);

  test("closing the runtime rejects every run, also of several sessions, and what is asked for afterwards", async () => {
    const runtime = await open();
    const sessions = await Promise.all([runtime.load(long), runtime.load(long), runtime.load(addition)]);
    using bound = runtime.bind(x);
    const runs = sessions.slice(0, 2).flatMap((session) => [session.run({ x: bound }), session.run({ x })]);
    const outcomes = Promise.allSettled(runs);
    await begun();
    await runtime.close();
    for (const outcome of await outcomes) expect(outcome).toMatchObject({ reason: closed("chain") });
    await expect(sessions[2].run({ a, b: a })).rejects.toMatchObject(closed("addition"));
    await expect(runtime.load(addition)).rejects.toMatchObject(closed(`the runtime ${name}`));
    expect(() => runtime.bind(x)).toThrow(expect.objectContaining(closed(`the runtime ${name}`)));
    bound.release(); // it was released already
  });

  test("a run that is asked for and closed at once is rejected", async () => {
    await using runtime = await open();
    const session = await runtime.load(addition);
    const run = expect(session.run({ a, b: a })).rejects.toMatchObject(closed("addition"));
    await Promise.all([session.close(), run]);
  });

  test("closing the runtime stops what is being loaded, and waits for its end", async () => {
    const runtime = await open();
    let ended = false;
    const loading = runtime.load(large).finally(() => {
      ended = true;
    });
    const outcome = Promise.allSettled([loading]);
    await wait(1);
    await runtime.close();
    await Promise.resolve();
    expect(ended).toBe(true);
    expect(await outcome).toMatchObject([{ reason: closed(`the runtime ${name}`) }]);
  });

  test("a signal's reason comes before the closing", async () => {
    const runtime = await open();
    const session = await runtime.load(long);
    const controller = new AbortController();
    const run = expect(session.run({ x }, { signal: controller.signal })).rejects.toThrow("enough");
    await begun();
    controller.abort(new Error("enough"));
    await Promise.all([runtime.close(), run]);
  });

  test("closing at any moment of many runs ends each with its result or as closed", async () => {
    const outcomes = { done: 0, closed: 0 };
    await using runtime = await open();
    for (let round = 0; round < 12; round++) {
      const session = await runtime.load(
        chain(20, 64, () => 0),
        { threads: 1 },
      );
      const runs = Array.from({ length: 20 }, () =>
        session.run({ x: zeros("float32", [64, 64]) }).then(
          ({ y }) => {
            outcomes.done++;
            expect(y!.data.every((value) => value === 0)).toBe(true);
          },
          (error: unknown) => {
            outcomes.closed++;
            expect(error).toMatchObject(closed("chain"));
          },
        ),
      );
      await wait(round % 10);
      await session.close();
      await Promise.all(runs);
      globalThis.gc!();
    }
    console.log(`${name}: ${outcomes.done} runs done, ${outcomes.closed} closed`);
    expect(outcomes.done + outcomes.closed).toBe(240);
    expect(outcomes.closed).toBeGreaterThan(0);
  });

  const photo = golden("photos/rocket.jpg");
  const isClosedOrDone = (outcome: PromiseSettledResult<unknown>) => {
    if (outcome.status === "rejected") expect(outcome.reason).toMatchObject({ code: "closed" });
  };

  slowTest("closing a model in the middle of a call, at several moments, rejects it as closed", async () => {
    let rejected = 0;
    for (const milliseconds of [1, 20, 40, 80, 120]) {
      const flamingo = await load(randomModelFolder, { backend: name });
      const calls = Promise.allSettled([
        flamingo.caption(photo, { maxNewTokens: 100 }),
        flamingo.generate("<image>Output:", { images: [photo], beams: 3, maxNewTokens: 100 }),
        flamingo.rank("<image>Output:", ["a rocket", "a cat"], { images: [photo] }),
        flamingo.embed({ images: [photo] }),
      ]);
      await wait(milliseconds);
      await flamingo.close();
      for (const outcome of await calls) {
        isClosedOrDone(outcome);
        if (outcome.status === "rejected") rejected++;
      }
    }
    expect(rejected).toBeGreaterThan(2);
  });

  test("closing the compatible API's model in the middle of a call rejects it as closed", async () => {
    const folder = randomModelFolder;
    const { model, imageProcessor, tokenizer } = await createModelAndTransforms({
      clipVisionEncoderPath: `${folder}/clip`,
      clipVisionEncoderPretrained: `${folder}/clip/open_clip_pytorch_model.bin`,
      langEncoderPath: `${folder}/lang`,
      tokenizerPath: `${folder}/lang`,
      crossAttnEveryNLayers: 4,
      backend: name,
    });
    await model.loadStateDict(`${folder}/checkpoint.pt`, { strict: false });
    const { shape, data } = await imageProcessor(photo);
    const visionX = { shape: [1, 1, 1, ...shape], data };
    const { inputIds, attentionMask } = tokenizer(["<image>Output:"]);
    const generate = model.generate({
      visionX,
      langX: inputIds,
      attentionMask,
      minNewTokens: 100,
      maxNewTokens: 100,
    });
    const outcome = expect(generate).rejects.toMatchObject({ code: "closed" });
    await wait(30);
    await model.close();
    await outcome;
  });
});
