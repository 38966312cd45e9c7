/** The assignment of images to sentences. */
import { expect, test } from "vitest";
import { randomStream } from "../../src/base/random.js";
import { assignLargest } from "../../src/data/assignment.js";

/** The largest sum, by trying every assignment. */
function largest(values: readonly (readonly number[])[], row = 0, used = 0): number {
  const [rows, columns] = [values.length, values[0]!.length];
  if (row === rows) return 0;
  let best = rows > columns ? largest(values, row + 1, used) : Number.NEGATIVE_INFINITY;
  for (let column = 0; column < columns; column++) {
    if (used & (1 << column)) continue;
    best = Math.max(best, values[row]![column]! + largest(values, row + 1, used | (1 << column)));
  }
  return best;
}

const shapes: readonly [number, number][] = [1, 2, 3, 4, 5, 6].flatMap((r) =>
  [1, 2, 3, 4, 5].map((c): [number, number] => [r, c]),
);

test("the sum is the largest that any assignment has, whatever the shape", () => {
  const random = randomStream(1, "assignment");
  let lane = 0;
  for (const [rows, columns] of shapes) {
    for (let time = 0; time < 20; time++) {
      // Positive: with more rows than columns it is never better to leave a column free.
      const values = Array.from({ length: rows }, () =>
        Array.from({ length: columns }, () =>
          time % 2 ? random.uniform(lane++) : Math.floor(4 * random.uniform(lane++)),
        ),
      );
      const pairs = assignLargest(values);
      expect(pairs).toHaveLength(Math.min(rows, columns));
      expect(new Set(pairs.map(([row]) => row)).size).toBe(pairs.length);
      expect(new Set(pairs.map(([, column]) => column)).size).toBe(pairs.length);
      expect(pairs.map(([row]) => row)).toEqual(pairs.map(([row]) => row).sort((a, b) => a - b));
      const sum = pairs.reduce((all, [row, column]) => all + values[row]![column]!, 0);
      expect(sum).toBeCloseTo(largest(values), 12);
    }
  }
});

test("negative values are assigned too", () => {
  expect(
    assignLargest([
      [-1, -5],
      [-2, -3],
    ]),
  ).toEqual([
    [0, 0],
    [1, 1],
  ]);
});

test("no rows, or no columns, make no pairs", () => {
  expect(assignLargest([])).toEqual([]);
  expect(assignLargest([[], []])).toEqual([]);
});

test("a hundred images and a thousand sentences are assigned at once", () => {
  const random = randomStream(2, "assignment");
  const values = Array.from({ length: 100 }, (_, r) =>
    Array.from({ length: 1000 }, (_, c) => random.uniform(r, c)),
  );
  expect(assignLargest(values)).toHaveLength(100);
});

/** Small matrices full of ties, and what scipy 1.17.1 gives: `linear_sum_assignment(-m)`. */
const ties: readonly [number[][], [number, number][]][] = [
  [
    [
      [3, 0, 3],
      [1, 0, 1],
      [0, 3, 3],
    ],
    [
      [0, 0],
      [1, 2],
      [2, 1],
    ],
  ],
  [
    [
      [1, 0, 1],
      [1, 0, 1],
      [3, 3, 2],
      [1, 0, 3],
    ],
    [
      [1, 0],
      [2, 1],
      [3, 2],
    ],
  ],
  [
    [
      [3, 2, 2],
      [2, 1, 0],
      [0, 2, 1],
    ],
    [
      [0, 2],
      [1, 0],
      [2, 1],
    ],
  ],
  [
    [
      [0, 3, 3, 3],
      [2, 3, 1, 2],
      [2, 0, 0, 0],
      [1, 2, 0, 2],
    ],
    [
      [0, 2],
      [1, 1],
      [2, 0],
      [3, 3],
    ],
  ],
  [
    [
      [0, 1, 1],
      [3, 3, 2],
      [0, 2, 1],
      [3, 1, 2],
    ],
    [
      [1, 1],
      [2, 2],
      [3, 0],
    ],
  ],
  [
    [
      [3, 3, 0, 0],
      [3, 2, 0, 0],
      [0, 2, 2, 0],
    ],
    [
      [0, 1],
      [1, 0],
      [2, 2],
    ],
  ],
  [
    [
      [1, 1, 1],
      [1, 1, 1],
      [2, 0, 3],
      [3, 0, 1],
    ],
    [
      [0, 1],
      [2, 2],
      [3, 0],
    ],
  ],
  [
    [
      [1, 2, 3],
      [0, 1, 2],
      [1, 2, 2],
    ],
    [
      [0, 2],
      [1, 1],
      [2, 0],
    ],
  ],
];

test("among equal sums the choice is scipy's", () => {
  for (const [values, pairs] of ties) expect(assignLargest(values)).toEqual(pairs);
});
