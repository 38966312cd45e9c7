import { expect, test } from "vitest";
import { parseJson, parseJsonObject, quoted } from "../../src/base/json.js";

const fail = (what: string) => new Error(what);

test("what JSON.parse reads is read, names that come again in another object too", () => {
  const text = '{"a": [{"b": 1}, {"b": "}\\"{"}], "c": {"a": null}, "\\u0062": 2}';
  expect(parseJson(text, fail)).toEqual(JSON.parse(text));
});

test.each([
  ['{"a": 1, "a": 2}', 'holds the name "a" twice'],
  ['{"a": {"x": 1, "y": 2, "x": 3}}', 'holds the name "x" twice'],
  ['{"ab": 1, "\\u0061b": 2}', 'holds the name "ab" twice'],
  ["[".repeat(101) + "]".repeat(101), "nests more than 100 deep"],
  ['{"a": 1,}', "is not valid JSON"],
])("%s is rejected", (text, message) => {
  expect(() => parseJson(text, fail)).toThrow(message);
});

test("a list is no object", () => {
  expect(() => parseJsonObject("[]", fail)).toThrow("must be a JSON object");
});

test("depth is reported before parsing, of what is no JSON too", () => {
  for (const text of ["[".repeat(1e7), `{"a": "${"[".repeat(200)}", "b": ${"[".repeat(200)}`]) {
    expect(() => parseJson(text, fail)).toThrow("nests more than 100 deep");
  }
  expect(() => parseJson('["unfinished \\', fail)).toThrow("is not valid JSON");
});

test("a value in a message is one line, and not long", () => {
  expect(quoted("a\nb")).toBe('"a\\nb"');
  expect(quoted("\u009b31m\u202egpj")).toBe('"\\u009b31m\\u202egpj"');
  expect(quoted(undefined)).toBe("absent");
  expect(quoted("x".repeat(1000))).toHaveLength(100);
});
