import { expect, test } from "vitest";
import { padRows } from "../../src/text/padding.js";

test("rows are padded to the longest, or to a length, on either side", () => {
  const rows = [[1], [2, 3], []];
  expect(padRows(rows, { padding: 9, side: "left" })).toEqual({
    ids: [
      [9, 1],
      [2, 3],
      [9, 9],
    ],
    mask: [
      [0, 1],
      [1, 1],
      [0, 0],
    ],
  });
  expect(padRows(rows.slice(0, 1), { padding: 9, side: "right", length: 3 })).toEqual({
    ids: [[1, 9, 9]],
    mask: [[1, 0, 0]],
  });
  expect(padRows([], { padding: 9, side: "left" })).toEqual({ ids: [], mask: [] });
});

test("a row that is longer than the length is rejected", () => {
  expect(() => padRows([[1, 2, 3]], { padding: 0, side: "left", length: 2 })).toThrow(
    /a row has 3 ids, length is 2/,
  );
});
