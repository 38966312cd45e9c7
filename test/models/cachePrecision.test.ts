/** The scales of an int8 cache beside their formula in plain numbers. */
import { expect, test } from "vitest";
import { intoCache } from "../../src/models/cachePrecision.js";
import { largestTurned } from "../../src/models/rotary.js";
import { array, at, difference, host, map, noise, type Plain } from "../graph/arrays.js";
import { useBackend } from "../graph/evaluate.js";

const backend = useBackend();
const [b, t, h, e] = [2, 3, 2, 8];
/** One large place, as trained models have them, and one head of zeros. */
const withOutlier = (x: Plain): Plain =>
  array(x.shape, (...index) => at(x, ...index) * (index[3] === 5 ? 30 : 1) * (index[2] === 1 ? 0 : 1));
const keys = withOutlier(noise([b, t, h, e], 1));
const values = noise([b, t, h, e], 2);
const past = noise([b, 2 * h, e], 3);

/** Scales that are found from squares (b, t, h, e). */
const scalesOf = (squares: Plain): Plain =>
  array([b, h, e], (row, head, place) => {
    const all = Array.from({ length: t }, (_, i) =>
      Array.from({ length: e }, (_, j) => at(squares, row!, i, head!, j)),
    );
    const seen = Math.max(...all.map((token) => token[place!]!));
    const usual = all.flat().reduce((sum, x) => sum + x, 0) / (t * e);
    return Math.sqrt(Math.max(1.5 ** 2 * seen, 5 ** 2 * usual)) / 127;
  });
const square = (x: Plain) => map((value) => value! ** 2, x);
/** Of the pairs (0, 2) and (1, 3), the squares of their length. */
const ofPairs = (squares: Plain): Plain =>
  array(squares.shape, (...index) => {
    const place = index[3]!;
    if (place >= 4) return at(squares, ...index);
    return [place % 2, (place % 2) + 2].reduce((sum, each) => sum + at(squares, ...index.with(3, each)), 0);
  });

test.each([
  ["", undefined, square(keys)],
  [", of keys that are turned", 4, ofPairs(square(keys))],
])("scales are found at the beginning of a text, and kept after it%s", async (_, rotaryDim, squares) => {
  const given = {
    ...{ queries: host(values, "float32"), keys: host(keys, "float32"), values: host(values, "float32") },
    ...{ scales: host(past, "float32"), start: host({ shape: [b], data: [0, 7] }, "int32") },
  };
  const { present } = await backend.evaluate(given, (x) => {
    const result = intoCache(x.queries!, x.keys!, x.values!, {
      past: { keys: x.keys!, values: x.values!, scales: x.scales! },
      start: x.start!,
      ...(rotaryDim && { largestTurned: (y) => largestTurned(y, { rotaryDim, rotaryBase: 10_000 }) }),
    });
    return { present: result.scales! };
  });
  const [found, ofValues] = [scalesOf(squares), scalesOf(square(values))];
  const expected = array([b, 2 * h, e], (row, head, place) => {
    if (row === 1) return at(past, row, head!, place!); // it begins later
    return head! < h ? at(found, row!, head!, place!) : at(ofValues, row!, head! - h, place!);
  });
  expect(difference(present!, expected)).toBeLessThan(1e-6);
  expect(present!.data.every((scale) => scale !== 0)).toBe(true);
});
