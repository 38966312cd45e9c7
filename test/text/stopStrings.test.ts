import { expect, test } from "vitest";
import { createStopMatcher } from "../../src/text/stopStrings.js";
import { random } from "./random.js";

/** The whole answer at once, found by looking for every stop string. */
function cutBefore(text: string, stops: readonly string[]): { text: string; stopped: boolean } {
  for (let end = 1; end <= text.length; end++) {
    const found = stops.filter((stop) => text.slice(0, end).endsWith(stop));
    const longest = Math.max(0, ...found.map((stop) => stop.length));
    if (longest > 0) return { text: text.slice(0, end - longest), stopped: true };
  }
  return { text, stopped: false };
}

function stream(pieces: readonly string[], stops: readonly string[]): { text: string; stopped: boolean } {
  const matcher = createStopMatcher(stops);
  let text = "";
  let stopped = false;
  for (const piece of pieces) {
    const next = matcher.push(piece);
    text += next.text;
    stopped = next.stopped;
  }
  return { text: text + matcher.end(), stopped };
}

test("text that may begin a stop string is held back until it is certain", () => {
  const matcher = createStopMatcher(["\nQuestion:", "###"]);
  expect(matcher.push("two cats\nQuest")).toEqual({ text: "two cats", stopped: false });
  expect(matcher.push("s #")).toEqual({ text: "\nQuests ", stopped: false });
  expect(matcher.push("#")).toEqual({ text: "", stopped: false });
  expect(matcher.push("#more")).toEqual({ text: "", stopped: true });
  expect(matcher.push("later")).toEqual({ text: "", stopped: true });
  expect(matcher.end()).toBe("");
});

test("what was held back comes at the end of an answer without a stop string", () => {
  const matcher = createStopMatcher(["END"]);
  expect(matcher.push("the EN").text).toBe("the ");
  expect(matcher.end()).toBe("EN");
});

test("without stop strings everything passes", () => {
  expect(stream(["a", "", "b"], [])).toEqual({ text: "ab", stopped: false });
});

test("an empty stop string is rejected", () => {
  expect(() => createStopMatcher(["a", ""])).toThrow(/stop string is empty/);
});

test("however an answer is cut into pieces, the first complete stop string ends it", () => {
  const { int, pick } = random(5);
  const word = (most: number) => Array.from({ length: 1 + int(most) }, () => pick(["a", "b", "👍"])).join("");
  for (let round = 0; round < 5000; round++) {
    const stops = Array.from({ length: int(4) }, () => word(5));
    const text = word(20);
    const pieces: string[] = [];
    for (let rest = [...text]; rest.length > 0; ) pieces.push(rest.splice(0, 1 + int(4)).join(""));
    expect(stream(pieces, stops), `${pieces} | ${stops}`).toEqual(cutBefore(text, stops));
  }
});

test("a long answer full of beginnings of a long stop string passes", () => {
  const matcher = createStopMatcher([`${"a".repeat(10_000)}b`]);
  let length = 0;
  for (let piece = 0; piece < 10_000; piece++) length += matcher.push("a".repeat(100)).text.length;
  expect(length + matcher.end().length).toBe(1_000_000);
});
