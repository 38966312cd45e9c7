/** Hundreds of changed inputs of each kind, and with the slow tests thousands, the same every day; more by `scripts/fuzz.ts`. */
import { afterAll, expect, test } from "vitest";
import { OpenFlamingoError } from "../../src/base/errors.js";
import { isSlowAsked } from "../slow.js";
import { fuzz, inputOf, shownReport } from "./fuzz.js";
import type { FuzzKind } from "./kind.js";
import { kinds } from "./kinds.js";

afterAll(() => {
  for (const kind of kinds) kind.close?.();
});

test.each(kinds)("$name: every changed input is read, or rejected by an error of our own", async (kind) => {
  const report = await fuzz(kind, { seed: 1, count: isSlowAsked ? 1500 : 400 });
  console.log(shownReport(report));
  expect(report.failures).toEqual([]);
  expect(report.outcomes.read, "some changes do no harm, so that what follows is reached").toBeGreaterThan(
    10,
  );
  expect(report.memory, "MiB on top").toBeLessThan(500);
  expect(report.left, "MiB left behind").toBeLessThan(30);
});

test("an input is made from its seed and number alone", () => {
  for (const kind of kinds) {
    const [ten, eleven, otherSeed] = [inputOf(kind, 1, 10), inputOf(kind, 1, 11), inputOf(kind, 2, 10)];
    expect(inputOf(kind, 1, 10)).toEqual(ten);
    expect(eleven).not.toEqual(ten);
    expect(otherSeed).not.toEqual(ten);
  }
});

test("what is no error of our own, a bug, control characters and a reader that hangs are failures", async () => {
  const broken: FuzzKind = {
    name: "broken",
    seeds: () => [new Uint8Array(1)],
    mutate: (random) => Uint8Array.of(random.below(5)),
    async run([which]) {
      if (which === 1) throw new RangeError("Invalid array length");
      if (which === 2) throw new OpenFlamingoError("internal", "impossible", { hint: "none" });
      if (which === 3) {
        const error = new OpenFlamingoError("usage", "red", { hint: "none" });
        error.message = "\u001b[31mred"; // its constructor would escape it
        throw error;
      }
      if (which === 4) await new Promise(() => {});
      if (which === 0) throw new OpenFlamingoError("usage", "as it should be", { hint: "none" });
    },
  };
  const { failures, outcomes } = await fuzz(broken, { seed: 3, count: 40, limit: 0.01 });
  const reported = failures.map(({ what }) => what.split("\n")[0]);
  expect(new Set(reported)).toEqual(
    new Set([
      "RangeError: Invalid array length",
      "is reported as a bug of the program: impossible",
      'has control characters in its message: "\\u001b[31mred"',
      "Error: took longer than 0.01 s",
    ]),
  );
  for (const { input } of failures) expect(inputOf(broken, 3, input)).not.toEqual(Uint8Array.of(0));
  expect(outcomes.usage).toBeGreaterThan(0);
});
