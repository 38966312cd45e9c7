/** Cases of the operators that look up and scatter rows. */
import { gather as gatherRows, namedSize, scatterAdd, takeAlongAxis } from "../../../src/graph/index.js";
import { array, at, type Plain } from "../arrays.js";
import { type Cases, exactly, floats, ints, testCase } from "./cases.js";

const lookedUp = (table: Plain, rows: Plain): Plain =>
  array([...rows.shape, ...table.shape.slice(1)], (...index) =>
    at(table, at(rows, ...index.slice(0, rows.shape.length)), ...index.slice(rows.shape.length)),
  );

/** Row by row in plain numbers: values (any, …) are added into a table of `count` rows. */
function scattered(rows: Plain, values: Plain, count: number): Plain {
  const shape = [count, ...values.shape.slice(rows.shape.length)];
  const width = values.data.length / rows.data.length;
  const data = Array.from({ length: count * width }, () => 0);
  rows.data.forEach((row, i) => {
    for (let j = 0; j < width; j++) data[row * width + j]! += values.data[i * width + j]!;
  });
  return { shape, data };
}

export const gather: Cases = {
  gather: [
    testCase(
      "rows for every token of a batch, some more than once",
      { table: floats([4, 3]), rows: ints(["b", "t"], [0, 3]) },
      ({ table, rows }) => gatherRows(table, rows),
      ({ table, rows }) => lookedUp(table, rows),
    ),
    testCase(
      "rows that are matrices",
      { table: floats([3, 2, 2]), rows: ints(["t"], [0, 2]) },
      ({ table, rows }) => gatherRows(table, rows),
      ({ table, rows }) => lookedUp(table, rows),
    ),
    testCase(
      "one row, of a table of numbers",
      { table: floats(["t"]), row: exactly("int32", [], [0]) },
      ({ table, row }) => gatherRows(table, row),
      ({ table }) => ({ shape: [], data: [at(table, 0)] }),
    ),
    testCase(
      "whole numbers",
      { table: ints([5], [-9, 9]), rows: ints(["b", 2], [0, 4]) },
      ({ table, rows }) => gatherRows(table, rows),
      ({ table, rows }) => lookedUp(table, rows),
    ),
  ],
  scatterAdd: [
    testCase(
      "several values for one row, and none",
      { rows: exactly("int32", [2, 3], [1, 3, 1, 1, 0, 3]), values: floats([2, 3, 2]) },
      ({ rows, values }) => scatterAdd(rows, values, { count: 5 }),
      ({ rows, values }) => scattered(rows, values, 5),
    ),
    testCase(
      "a named number of rows",
      { rows: ints(["t"], [0, 0]), values: floats(["t", 2]), like: ints(["b"], [0, 1]) },
      ({ rows, values }) => scatterAdd(rows, values, { count: namedSize("b") }),
      ({ rows, values, like }) => scattered(rows, values, like.data.length),
    ),
    testCase(
      "numbers",
      { rows: ints(["b", "t"], [0, 2]), values: floats(["b", "t"]) },
      ({ rows, values }) => scatterAdd(rows, values, { count: 3 }),
      ({ rows, values }) => scattered(rows, values, 3),
    ),
    testCase(
      "whole numbers",
      { rows: ints(["t"], [0, 1]), values: ints(["t"], [-9, 9]) },
      ({ rows, values }) => scatterAdd(rows, values, { count: 2 }),
      ({ rows, values }) => scattered(rows, values, 2),
    ),
  ],
  takeAlongAxis: [
    testCase(
      "one of each row",
      { x: floats(["b", "t", 4]), places: ints(["b", "t"], [0, 3]) },
      ({ x, places }) => takeAlongAxis(x, places),
      ({ x, places }) => array(places.shape, (...index) => at(x, ...index, at(places, ...index))),
    ),
    testCase(
      "places outside give 0",
      { x: floats([4, 3]), places: exactly("int32", [4], [-100, 3, -1, 2]) },
      ({ x, places }) => takeAlongAxis(x, places),
      ({ x }) => ({ shape: [4], data: [0, 0, 0, at(x, 3, 2)] }),
    ),
  ],
};
