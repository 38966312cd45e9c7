import { describe, expect, test } from "vitest";
import { parseJson, parseJsonObject } from "../../src/base/json.js";

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
])("%s is rejected", (text, message) => {
  expect(() => parseJson(text, fail)).toThrow(message);
});

test("a byte order mark in front is ignored, one elsewhere is not", () => {
  expect(parseJson('\ufeff{"a": 1}', fail)).toEqual({ a: 1 });
  expect(() => parseJson('\ufeff\ufeff{"a": 1}', fail)).toThrow("line 1, column 1");
  expect(() => parseJson('{\ufeff"a": 1}', fail)).toThrow("line 1, column 2");
});

describe("what is no JSON is located by line and column", () => {
  test.each([
    ['{"a": 1,}', 'line 1, column 8: a comma before "}"'],
    ['{\n  "a": [1, 2,\n  ]\n}', 'line 2, column 13: a comma before "]"'],
    ['{"a": 1}\n{"a": 2}\n', "line 2, column 1: a second value (JSON Lines is not read here)"],
    ['{"a": 1}\r\n[1]', "line 2, column 1: a second value"],
    ["{} x", "line 1, column 4: a second value"],
    ["{} ,", "line 1, column 4: text after the value"],
    ['{"a": 1', "line 1, column 8: the text ends in the middle"],
    ['["unfinished \\', "line 1, column 14: an escape that JSON does not know"],
    ['["unfinished', "line 1, column 13: the text ends in the middle"],
    ["[", "line 1, column 2: the text ends in the middle"],
    ['{"a"', "line 1, column 5: the text ends in the middle"],
    ["", "it is empty"],
    [" \n", "it is empty"],
    ["name: test", "line 1, column 1: a word that is no JSON value"],
    ["{'a': 1}", "line 1, column 2: a name in double quotes is missing"],
    ["{a: 1}", "line 1, column 2: a name in double quotes is missing"],
    ["['a']", "line 1, column 2: strings stand in double quotes"],
    ["[1 2]", 'line 1, column 4: a comma or "]" is missing'],
    ['{"a" 1}', "line 1, column 6: a colon is missing"],
    ['{"a": }', "line 1, column 7: a value is missing"],
    ["[1] // end", "line 1, column 5: text after the value"],
    ["[ // one\n1]", "line 1, column 3: JSON has no comments"],
    ["[NaN]", "line 1, column 2: a word that is no JSON value"],
    ["[True]", "line 1, column 2: a word that is no JSON value"],
    ["[01]", "line 1, column 2: no number that JSON knows"],
    ["[-]", "line 1, column 2: no number that JSON knows"],
    ["[.5]", "line 1, column 2: no number that JSON knows"],
    ["[1.]", "line 1, column 2: no number that JSON knows"],
    ['["a\nb"]', "line 1, column 4: a control character in a string"],
    ['["\\x41"]', "line 1, column 3: an escape that JSON does not know"],
    [Buffer.from('{"a": 1}', "utf16le").toString("utf8"), "it is UTF-16"],
    [Buffer.from('\ufeff{"a": 1}', "utf16le").toString("utf8"), "it is UTF-16"],
    [Buffer.from('\ufeff{"a": 1}', "utf16le").swap16().toString("utf8"), "it is UTF-16"],
  ])("%j: %s", (text, message) => {
    expect(() => JSON.parse(text)).toThrow();
    expect(() => parseJson(text, fail)).toThrow(`is not valid JSON: ${message}`);
  });

  test("a string of ten million letters in front is no hindrance", () => {
    expect(() => parseJson(`["${"a".repeat(1e7)}",]`, fail)).toThrow("column 10000004: a comma");
  });
});

test("a list is no object", () => {
  expect(() => parseJsonObject("[]", fail)).toThrow("must be a JSON object");
});

test("depth is reported before parsing, of what is no JSON too", () => {
  for (const text of ["[".repeat(1e7), `{"a": "${"[".repeat(200)}", "b": ${"[".repeat(200)}`]) {
    expect(() => parseJson(text, fail)).toThrow("nests more than 100 deep");
  }
});
