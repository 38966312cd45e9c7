/** What the settings of the strategies may be, as a program in JavaScript may give them: one wording for all of them. */
import { describe, expect, test } from "vitest";
import { type Fault, faultList, type Reader } from "../../src/base/fields.js";
import { beamReaders } from "../../src/generate/beams.js";
import { processingReaders } from "../../src/generate/processors.js";
import { answersReader, rankingReaders, requireTokens } from "../../src/generate/rank.js";
import { samplingReaders } from "../../src/generate/sample.js";
import { sequencesReader } from "../../src/generate/strategy.js";
import { stopReader } from "../../src/generate/stream.js";
import { temperatureOrZero } from "../../src/generate/warpers.js";

/** What a reader makes of a value, or what it says is wrong. */
function read<T>(reader: Reader<T>, value: unknown): { value: T } | string {
  const faults: Fault[] = [];
  const result = reader(value, "x", (fault) => faults.push(fault));
  return faults.length > 0 ? faultList(faults) : { value: result };
}

/** What no option may be that is a number. */
const noNumbers = ["3", "", true, null, Number.NaN, -Infinity, Infinity, [3], {}, 3n, () => 3, Symbol("3")];
const noCounts = [-1, 0.5, 1.5, 2 ** 53, 1e300];
const { temperature, topK, topP, minP, seed } = samplingReaders;
const { repetitionPenalty, noRepeatNgramSize, minLength, minNewTokens } = processingReaders;

describe.each<[string, Reader<unknown>, string, readonly unknown[], readonly number[]]>([
  ["beams", beamReaders.beams, "an integer from 1 to 64", [0, 65, 100_000, ...noCounts], [1, 32, 64]],
  ["sequences", sequencesReader, "an integer from 1 to 256", [0, 257, 1e6, ...noCounts], [1, 64, 256]],
  [
    "a length penalty",
    beamReaders.lengthPenalty,
    "a number from -50 to 50",
    [51, -50.5, 1e308],
    [-50, -1, 0, 50],
  ],
  ["a temperature", temperature, "a number from 0.000001 to 1000000", [0, -1, 1e-7, 1e-300, 1e7], [1e-6, 1]],
  [
    "a temperature or 0",
    temperatureOrZero,
    "a number from 0.000001 to 1000000, or 0",
    [-1, 1e-7, 1e-300, 1e7],
    [0, 1],
  ],
  ["top-k", topK, "an integer ≥ 1", [0, ...noCounts], [1, 50, 1e9]],
  ["top-p", topP, "a number above 0, at most 1", [0, -0, -0.1, 1.01, 90], [1e-9, 0.9, 1]],
  ["min-p", minP, "a number from 0 to 1", [-0.1, 1.01], [0, 0.05, 1]],
  ["a seed", seed, "an integer ≥ 0", noCounts, [0, 7, 2 ** 53 - 1]],
  [
    "a repetition penalty",
    repetitionPenalty,
    "a number from 0.001 to 1000",
    [0, -1, 1e-300, 1001],
    [0.001, 1, 1.2, 1000],
  ],
  ["an n-gram's size", noRepeatNgramSize, "an integer ≥ 0", noCounts, [0, 3, 1e9]],
  ["a least length", minLength, "an integer ≥ 0", noCounts, [0, 3, 1e9]],
  ["a least number of new tokens", minNewTokens, "an integer ≥ 0", noCounts, [0, 3, 1e9]],
])("%s", (_, reader, what, wrong, right) => {
  test(`must be ${what}`, () => {
    for (const value of [...wrong, ...noNumbers]) {
      const said = read(reader, value);
      expect(said, String(value)).toMatch(/^x is .+; it must be /s);
      expect(String(said).endsWith(`; it must be ${what}`), String(said)).toBe(true);
    }
    for (const value of right) expect(read(reader, value)).toEqual({ value });
    expect(read(reader, undefined)).toEqual({ value: undefined });
  });
});

test.each<[string, Reader<unknown>, readonly unknown[], readonly unknown[], string]>([
  [
    "early stopping",
    beamReaders.earlyStopping,
    ["sometimes", "Never", "true", "", 1, 0, null, [], ["never"]],
    [true, false, "never"],
    'true or false or "never"',
  ],
  [
    "what a beam's length counts",
    beamReaders.beamLength,
    ["foo", "gen", "Total", "", true, 1, null],
    ["total", "generated"],
    '"total" or "generated"',
  ],
  [
    "whether to normalise",
    rankingReaders.normalize,
    ["false", "no", 0, 1, null, [], {}, new Boolean(true)],
    [true, false],
    "true or false",
  ],
])("%s is one of a few values", (_, reader, wrong, right, what) => {
  for (const value of wrong)
    expect(read(reader, value)).toMatch(new RegExp(`^x is .*; it must be ${what}$`, "s"));
  for (const value of right) expect(read(reader, value)).toEqual({ value });
});

test.each<[string, Reader<unknown>, unknown, string]>([
  ["bad words", processingReaders.badWords, "bad", 'x is "bad"; it must be a list'],
  ["bad words", processingReaders.badWords, [1], "x[0] is 1; it must be a list of 1 or more"],
  ["bad words", processingReaders.badWords, [[1], []], "x[1] is []; it must be a list of 1 or more"],
  ["bad words", processingReaders.badWords, [[2, -1]], "x[0][1] is -1; it must be an integer ≥ 0"],
  ["bad words", processingReaders.badWords, [["cat"]], 'x[0][0] is "cat"; it must be an integer ≥ 0'],
  ["processors", processingReaders.processors, () => {}, "x is a function; it must be a list"],
  ["processors", processingReaders.processors, [() => {}, "y"], 'x[1] is "y"; it must be a function'],
  ["stop strings", stopReader, ".", 'x is "."; it must be a list'],
  ["stop strings", stopReader, [".", ""], 'x[1] is ""; it must be a string that is not empty'],
  ["stop strings", stopReader, [5], "x[0] is 5; it must be a string that is not empty"],
  ["answers", answersReader, "abc", 'x is "abc"; it must be a list of 1 to 50000'],
  ["answers", answersReader, undefined, "x is missing; it must be a list of 1 to 50000"],
  ["answers", answersReader, [], "x is []; it must be a list of 1 to 50000"],
  ["answers", answersReader, ["a", ""], 'x[1] is ""; it must be a string that is not empty'],
  ["answers", answersReader, { length: 1, 0: "a" }, "; it must be a list of 1 to 50000"],
])("%s: %#", (_, reader, value, said) => {
  expect(read(reader, value)).toContain(said);
});

describe("answers", () => {
  test("too many are rejected at once, without a look at them", () => {
    const start = performance.now();
    expect(read(answersReader, new Array(2 ** 30).fill(undefined, 0, 10))).toMatch(
      /; it must be a list of 1 to 50000$/,
    );
    expect(performance.now() - start).toBeLessThan(1000);
  });

  test("as many as there may be are taken", () => {
    expect(read(answersReader, new Array(50_000).fill("cat"))).toMatchObject({ value: { length: 50_000 } });
  });

  test("one without tokens is rejected", () => {
    expect(() => requireTokens([[1], []])).toThrow(
      expect.objectContaining({ code: "usage", message: "answer 2 of 2 has no tokens" }),
    );
    requireTokens([[1]]);
  });
});
