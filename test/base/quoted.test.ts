import { expect, test } from "vitest";
import { printable, quoted } from "../../src/base/quoted.js";

test("a value in a message is one line, and not long", () => {
  expect(quoted("a\nb")).toBe('"a\\nb"');
  expect(quoted(undefined)).toBe("absent");
  expect(quoted({ a: [1, "b", null, true], c: {} })).toBe('{"a":[1,"b",null,true],"c":{}}');
  expect(quoted("x".repeat(1000))).toHaveLength(100);
  expect(quoted(Array(1000).fill(1))).toHaveLength(100);
  expect([quoted(Number.NaN), quoted(2n), quoted(() => 1)]).toEqual(["NaN", "2n", "a function"]);
});

test.each([
  ["\u001b[31m", '"\\u001b[31m"'],
  ["\u009b31m\u202egpj", '"\\u009b31m\\u202egpj"'],
  ["\u007f\u0000\u0085", '"\\u007f\\u0000\\u0085"'],
  ["a\u200bb\ufeff\u00ad", '"a\\u200bb\\ufeff\\u00ad"'],
  ["\u2066\u2069\u061c\u2028", '"\\u2066\\u2069\\u061c\\u2028"'],
  ["\ud800", '"\\ud800"'],
  ["\udb40\udc41", '"\\udb40\\udc41"'], // a tag, which no one sees
  ["é 日本 😀", '"é 日本 😀"'],
])("%j is shown as %s", (text, shown) => {
  expect(quoted(text)).toBe(shown);
  expect(quoted({ [text]: 1 })).toBe(`{${shown}:1}`);
});

test("a long text is not cut inside a character", () => {
  for (let before = 90; before < 105; before++) {
    const shown = quoted("x".repeat(before) + "😀".repeat(10));
    expect(shown).not.toMatch(/\p{Cs}/u);
    expect(shown.length).toBeLessThanOrEqual(110);
  }
});

test("a value of any size costs little", () => {
  const start = performance.now();
  expect(quoted("\u001b".repeat(1e8)).length).toBeLessThanOrEqual(100);
  expect(quoted(Object.fromEntries(Array.from({ length: 1e5 }, (_, i) => [`k${i}`, i]))).length).toBe(100);
  expect(performance.now() - start).toBeLessThan(1000);
});

test("running text keeps its lines and loses what steers a terminal", () => {
  expect(printable("a\n\tb\u001b[2J\u202ec\r")).toBe("a\n\tb\\u001b[2J\\u202ec\\u000d");
});
