import sharp from "sharp";
import { expect, test } from "vitest";
import type { Answered } from "../../../../recipes/tiny/evaluate/answersFile.js";
import { contactSheet, wrapped } from "../../../../recipes/tiny/evaluate/contactSheet.js";
import { thingsTask } from "../../../../recipes/tiny/evaluate/tasks/things.js";
import { worldOf } from "./fixtures.js";

const task = thingsTask(worldOf(5));
const answered = Array.from(
  { length: 40 },
  (_, index): Answered => ({
    index,
    prompt: index % 2 ? "<image>Question:Is 1 < 2 & 3? Short answer:" : "<image>Output:",
    accepted: ["an ox"],
    text: "<b>\u0000\u001b",
    right: { named: index < 20 },
  }),
);

test("24 images by lot, and others by another seed; any text can stand there", async () => {
  const sheet = await contactSheet([{ task, answered }], { seed: 1 });
  const { width, height } = await sharp(sheet).metadata();
  expect([width! > 1000, height! > 1000]).toEqual([true, true]);
  expect(Buffer.compare(sheet, await contactSheet([{ task, answered }], { seed: 1 }))).toBe(0);
  expect(Buffer.compare(sheet, await contactSheet([{ task, answered }], { seed: 2 }))).not.toBe(0);
  await expect(contactSheet([], { seed: 1 })).rejects.toThrow("without answers");
});

test("right ones are green and wrong ones red", async () => {
  const frame = async (right: boolean) => {
    const one = [{ task, answered: [{ ...answered[0]!, right: { named: right } }] }];
    const sheet = sharp(await contactSheet(one, { seed: 1 }));
    const { data, info } = await sheet.removeAlpha().raw().toBuffer({ resolveWithObject: true });
    return [...data.subarray(3 * (info.width * 100 + 11), 3 * (info.width * 100 + 11) + 3)];
  };
  const [[red, green], [wrongRed, wrongGreen]] = [await frame(true), await frame(false)];
  expect([green! > red! + 50, wrongRed! > wrongGreen! + 50]).toEqual([true, true]);
});

test("texts are wrapped at words, and cut where there is no room", () => {
  expect(wrapped("a pizza", 3)).toEqual(["a pizza"]);
  expect(wrapped("a snail to the left of an umbrella", 3)).toEqual(["a snail to the left", "of an umbrella"]);
  expect(wrapped("a snail to the left of an umbrella and more and yet more of it", 2)).toEqual([
    "a snail to the left",
    "of an umbrella and…",
  ]);
  expect(wrapped("Donaudampfschifffahrtsgesellschaft", 3)).toEqual(["Donaudampfschifffa…"]);
});
