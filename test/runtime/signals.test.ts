/** One signal for many calls: no warning of a leak, and one abort for all. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Flamingo, load } from "../../src/index.js";
import { zeros } from "../../src/runtime/hostTensor.js";
import { golden, randomModelFolder } from "../goldens.js";
import { backends } from "./backends.js";
import { addition, chain, floats } from "./programs.js";

const warnings: Error[] = [];
const note = (warning: Error) => void warnings.push(warning);
beforeAll(() => void process.on("warning", note));
afterAll(async () => {
  await new Promise((resolve) => setImmediate(resolve)); // warnings are emitted a turn later
  process.off("warning", note);
  expect(warnings.map(({ message }) => message)).toEqual([]);
});
const nothingWarned = async () => {
  await new Promise((resolve) => setImmediate(resolve));
  expect(warnings.map(({ message }) => message)).toEqual([]);
};

describe.each(backends)("on $name, 40 calls share a signal:", ({ name, open }) => {
  test("runs and loads", async () => {
    const { signal } = new AbortController();
    await using runtime = await open();
    const sessions = await Promise.all(
      Array.from({ length: 40 }, () => runtime.load(addition, { signal, threads: 1 })),
    );
    const a = floats([1, 3], [1, 2, 3]);
    const runs = sessions.map((session) => session.run({ a, b: a }, { signal }));
    for (const { sum } of await Promise.all(runs)) expect(sum).toEqual(floats([1, 3], [2, 4, 6]));
    await nothingWarned();
  });

  test("runs that wait, all of which it stops", async () => {
    const controller = new AbortController();
    await using runtime = await open();
    await using session = await runtime.load(chain(60, 512, () => 0));
    const x = zeros("float32", [512, 512]);
    const { signal } = controller;
    const runs = Promise.allSettled(Array.from({ length: 40 }, () => session.run({ x }, { signal })));
    setTimeout(() => controller.abort(new Error("enough")), 10);
    for (const outcome of await runs) expect(outcome).toMatchObject({ reason: { message: "enough" } });
    await nothingWarned();
  });

  describe("calls of a model", () => {
    let flamingo: Flamingo;
    const photo = golden("photos/rocket.jpg");
    beforeAll(async () => {
      flamingo = await load(randomModelFolder, { backend: name, onNotice: () => {} });
    });
    afterAll(() => flamingo.close());

    test("that are answered", async () => {
      const { signal } = new AbortController();
      const ten = Array.from({ length: 10 }, () => photo);
      await Promise.all([
        ...ten.map((image) => flamingo.caption(image, { signal, maxNewTokens: 2 })),
        ...ten.map((image) => flamingo.rank("<image>Output:", ["a"], { images: [image], signal })),
        ...ten.map((image) => flamingo.embed({ images: [image] }, { signal })),
        ...ten.map((image) =>
          flamingo.generate("<image>", { images: [image], beams: 2, maxNewTokens: 2, signal }),
        ),
      ]);
      await nothingWarned();
    });

    test("that it stops", async () => {
      const controller = new AbortController();
      const { signal } = controller;
      const calls = Array.from({ length: 40 }, () => flamingo.caption(photo, { signal, maxNewTokens: 100 }));
      setTimeout(() => controller.abort(new Error("enough")), 100);
      for (const outcome of await Promise.allSettled(calls)) {
        expect(outcome).toMatchObject({ reason: { message: "enough" } });
      }
      await nothingWarned();
    });
  });
});
