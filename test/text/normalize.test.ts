import { expect, test } from "vitest";
import { normalize } from "../../src/text/normalize.js";
import { random } from "./random.js";

/** All combining marks of the first two planes, so also those that decompose and those that never move. */
const marks = Array.from({ length: 0x20000 }, (_, codePoint) =>
  /^\p{M}$/u.test(String.fromCodePoint(codePoint)) ? String.fromCodePoint(codePoint) : "",
).filter((mark) => mark !== "");

test("long runs of combining marks are normalized as short ones are", () => {
  const { int, pick } = random(4);
  for (let round = 0; round < 40; round++) {
    const few = Array.from({ length: 1 + int(20) }, () => pick(marks));
    const from = round % 2 === 0 ? few : marks;
    const run = Array.from({ length: 250 + int(800) }, () => pick(from)).join("");
    const text = `${pick([..."aé가क "])}${run}b${run.slice(0, 9)}`;
    expect(normalize(text, [{ kind: "nfc" }]) === text.normalize("NFC"), `round ${round}`).toBe(true);
  }
});

test("lower case knows no final sigma", () => {
  expect(normalize("ΟΔΟΣ İ ẞ", [{ kind: "lowercase" }])).toBe("οδοσ i\u0307 ß");
});

test("a replacement is taken literally", () => {
  const normalizer = { kind: "replace", pattern: /\p{White_Space}+/gu, content: "$&" } as const;
  expect(normalize("a \u0085 b\ufeff", [normalizer])).toBe("a$&b\ufeff");
});
