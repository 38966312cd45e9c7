/**
 * How exact the two ways of encoding positions are where positions are high, beside the same formulas in double
 * precision.
 */
import { describe, expect, test } from "vitest";
import { MASK_VALUE, mul, softmax } from "../../src/graph/index.js";
import { alibiBias, alibiSlopes } from "../../src/models/alibi.js";
import { gptNeox } from "../../src/models/gptNeox.js";
import { largestTurned, rotaryFrequencies, rotation } from "../../src/models/rotary.js";
import { compile } from "../../src/onnx/compile.js";
import { decodeGraph } from "../../src/runner/graphs.js";
import { array, at, difference, host, noise, type Plain, sumOf } from "../graph/arrays.js";
import { useBackend } from "../graph/evaluate.js";
import { config } from "../runner/smallModel.js";
import { moduleFile, modulesOf } from "./moduleFile.js";

const backend = useBackend();

describe("ALiBi", () => {
  const heads = 32;
  const slopes = alibiSlopes(heads, 8);

  /** The largest error of softmax over the bias alone, of all heads and the queries at these positions. */
  async function errorOf(
    queries: readonly number[],
    keys: readonly number[],
    sees: (i: number, j: number) => boolean,
  ) {
    const [t, total] = [queries.length, keys.length];
    const given = {
      queries: host({ shape: [1, t], data: queries }, "float32"),
      keys: host({ shape: [1, total], data: keys }, "float32"),
      mask: host(
        array([1, t, total], (_, i, j) => (sees(i!, j!) ? 0 : MASK_VALUE)),
        "float32",
      ),
    };
    const { y } = await backend.evaluate(given, ({ queries, keys, mask }) => ({
      y: softmax(alibiBias({ queries: queries!, keys: keys! }, mask!, slopes), { axis: -1 }),
    }));
    let largest = 0;
    for (let h = 0; h < heads; h++) {
      for (let i = 0; i < t; i++) {
        // e^bias, the query's own key being the greatest position that it sees.
        const powers = keys.map((key, j) => (sees(i, j) ? Math.exp(slopes[h]! * (key - queries[i]!)) : 0));
        const sum = sumOf(powers);
        powers.forEach((power, j) => {
          largest = Math.max(largest, Math.abs(power / sum - y!.data[(h * t + i) * total + j]!));
        });
      }
    }
    return largest;
  }

  const counted = (n: number, first = 0) => Array.from({ length: n }, (_, i) => first + i);

  test("softmax is exact over 2,048 keys, for the newest query and for all before it", async () => {
    const queries = [0, 1, 2, 100, 1023, 1500, 2046, 2047];
    const error = await errorOf(queries, counted(2048), (i, j) => j <= queries[i]!);
    expect(error).toBeLessThan(2e-7); // 5.6e-8; counted from the first or the last key 1.7e-5
  });

  test("and for a short row in a batch with a long one, whose cache goes on behind it", async () => {
    expect(await errorOf([9], counted(2048), (_, j) => j <= 9)).toBeLessThan(2e-7);
  });

  test("and over 65,536 keys", async () => {
    expect(
      await errorOf([65_535, 40_000], counted(65_536), (i, j) => j <= [65_535, 40_000][i]!),
    ).toBeLessThan(1e-6);
  });

  test("and for tokens of a tree, whose positions are not those of their cache", async () => {
    const keys = [...counted(2000), 2000, 2000, 2001, 2001];
    const parents = new Map([
      [2000, -1],
      [2001, -1],
      [2002, 2000],
      [2003, 2001],
    ]);
    const own = (j: number): number[] => (j < 0 ? [] : [j, ...own(parents.get(j)!)]);
    const tokens = [2002, 2003];
    const sees = (i: number, j: number) => j < 2000 || own(tokens[i]!).includes(j);
    expect(await errorOf([2001, 2001], keys, sees)).toBeLessThan(2e-7);
  });
});

describe("rotary positions", () => {
  interface Rotary {
    readonly rotary_pct: number;
    readonly rotary_emb_base: number;
    readonly hidden_size: number;
    readonly num_attention_heads: number;
  }
  for (const { name, file, config } of modulesOf<Rotary>("gpt_neox_block")) {
    test(`the frequencies of ${name} are the reference's, to the last bit`, async ({ skip }) => {
      const { weights } = await moduleFile(file);
      const expected = weights["attention.rotary_emb.inv_freq"];
      if (!expected) {
        console.log(`skipped, as ${file} has no inv_freq: frequencies of ${name}`);
        return skip();
      }
      const rotaryDim = Math.floor((config.rotary_pct * config.hidden_size) / config.num_attention_heads);
      expect([...rotaryFrequencies(rotaryDim, config.rotary_emb_base)]).toEqual(expected.data);
    });
  }

  const { fround } = Math;
  const positions = [0, 1, 127, 2047, 2048, 40_001, 65_535, 99_999, 131_071];
  const [e, r, base] = [80, 80, 10_000];
  const x = noise([1, positions.length, 2, e], 1);
  const run = async (rotaryDim: number) => {
    const given = {
      x: host(x, "float32"),
      position: host({ shape: [1, positions.length], data: positions }, "float32"),
    };
    const { y } = await backend.evaluate(given, ({ x, position }) => ({
      y: rotation(position!, { rotaryDim, rotaryBase: base })(x!),
    }));
    return y!;
  };
  /** The turn in double precision, by angles that are made as `angle` says. */
  const turned = (rotaryDim: number, angle: (position: number, pair: number) => number): Plain =>
    array(x.shape, (_, t, h, i) => {
      const half = rotaryDim / 2;
      if (i! >= rotaryDim) return at(x, 0, t!, h!, i!);
      const at_ = angle(positions[t!]!, i! % half);
      const partner = i! < half ? -at(x, 0, t!, h!, i! + half) : at(x, 0, t!, h!, i! - half);
      return at(x, 0, t!, h!, i!) * Math.cos(at_) + partner * Math.sin(at_);
    });
  const speed = (rotaryDim: number, pair: number) =>
    fround(1 / fround(base ** fround((2 * pair) / rotaryDim)));

  test.each([r, 20])(
    "angles are rounded to float32 as in the reference, up to position 2^17, %i of 80 turned",
    async (rotaryDim) => {
      const y = await run(rotaryDim);
      const rounded = turned(rotaryDim, (position, pair) => fround(position * speed(rotaryDim, pair)));
      expect(difference(y, rounded)).toBeLessThan(1.5e-7); // 8.6e-8, of the products and the sum
      // That says something: without the rounding, or with speeds that are not rounded, the turns are others.
      const exact = turned(rotaryDim, (position, pair) => position * speed(rotaryDim, pair));
      const exactSpeed = turned(rotaryDim, (position, pair) =>
        fround(position * base ** ((-2 * pair) / rotaryDim)),
      );
      expect(difference(y, exact)).toBeGreaterThan(1e-4);
      expect(difference(y, exactSpeed)).toBeGreaterThan(1e-4);
    },
  );

  test("cosines and sines are the nearest float32, at every position and of every pair", async () => {
    const many = Array.from({ length: 512 }, (_, i) => (i < 256 ? i : i * 256 + 255));
    // Turned by an angle, (1, 0) is its cosine and sine.
    const unit = array([1, many.length, 1, r], (_, __, ___, i) => (i! < r / 2 ? 1 : 0));
    const given = {
      x: host(unit, "float32"),
      position: host({ shape: [1, many.length], data: many }, "float32"),
    };
    const { y } = await backend.evaluate(given, ({ x, position }) => ({
      y: rotation(position!, { rotaryDim: r, rotaryBase: base })(x!),
    }));
    const expected = array(unit.shape, (_, t, __, i) => {
      const angle = fround(many[t!]! * speed(r, i! % (r / 2)));
      return fround(i! < r / 2 ? Math.cos(angle) : Math.sin(angle));
    });
    expect(difference(y!, expected)).toBe(0);
  });

  test("what the square of a turned number can be at most, it is at some position and at none more", async () => {
    const [t, rotaryDim] = [400, 4]; // pairs that turn by 1 and by 0.01 a position
    const one = noise([1, 1, 2, 6], 7);
    const same = array([1, t, 2, 6], (_, __, h, i) => at(one, 0, 0, h!, i!));
    const given = {
      x: host(same, "float32"),
      position: host({ shape: [1, t], data: Array.from({ length: t }, (_, i) => i) }, "float32"),
    };
    const { y, bounds } = await backend.evaluate(given, ({ x, position }) => {
      const y = rotation(position!, { rotaryDim, rotaryBase: base })(x!);
      return { y, bounds: largestTurned(mul(y, y), { rotaryDim, rotaryBase: base }) };
    });
    for (const h of [0, 1]) {
      for (let i = 0; i < 6; i++) {
        const squares = Array.from({ length: t }, (_, place) => at(y!, 0, place, h, i) ** 2);
        const bound = at(bounds!, 0, 123, h, i);
        expect(Math.max(...squares)).toBeLessThan(bound * (1 + 1e-5));
        expect(Math.max(...squares)).toBeGreaterThan(bound * 0.99);
      }
    }
  });

  test("the longest text costs nothing: the program is the same for every number of positions", () => {
    const programFor = (contextLength: number) =>
      compile(decodeGraph({ ...config, language: gptNeox({ ...ofNeox, contextLength }) })).program.bytes;
    expect(programFor(2 ** 24)).toEqual(programFor(128));
    expect(programFor(128).length).toBeLessThan(50_000);
  });
});

const ofNeox = {
  layers: 2,
  hiddenSize: 32,
  heads: 2,
  mlpRatio: 2,
  vocabulary: 100,
  rotaryDim: 16,
  rotaryBase: 10_000,
  parallel: false,
};
