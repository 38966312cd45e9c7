import { expect, test } from "vitest";
import type { Answered } from "../../../../recipes/tiny/evaluate/answersFile.js";
import type { TaskAnswers } from "../../../../recipes/tiny/evaluate/figures.js";
import { examplesTable, reportOf } from "../../../../recipes/tiny/evaluate/report.js";

const answered = (right: Record<string, boolean>[], parts: readonly string[] = []): Answered[] =>
  right.map((each, index) => ({
    ...{ index, prompt: "<image>Output:", accepted: ["an ox"], text: "an ox", right: each },
    ...(parts[index] !== undefined && { parts: { style: parts[index] } }),
  }));
const share = (name: string, right: number, queries: number) =>
  Array.from({ length: queries }, (_, i) => ({ [name]: i < right }));

const bindings = (shots: number, right: number): TaskAnswers => ({
  task: {
    name: `names-image-image-2way-${shots}shots`,
    about: { kind: "image-image", ways: 2, shots },
    measures: [{ name: "ranked", what: `two-way, ${shots} shots`, chance: 0.5, isMain: shots === 8 }],
  },
  answered: answered(share("ranked", right, 20)),
});

const { markdown, json } = reportOf({
  model: { name: "small", digest: "abc", backend: "ort.ffi 1" },
  seed: 5,
  missing: ["cifar10"],
  answers: [
    {
      task: {
        name: "things",
        measures: [
          { name: "named", what: "a thing", aim: 0.7, isMain: true },
          { name: "nearly", what: "about a thing", aim: 0.9 },
        ],
      },
      answered: answered(
        share("named", 15, 20).map((each, i) => ({ ...each, nearly: i < 17 })),
        Array.from({ length: 20 }, (_, i) => (i < 12 ? "noto" : "flat")),
      ),
    },
    ...[0, 4].map((shots) => ({
      task: {
        name: `scenes-${shots}`,
        about: { kind: "captions", shots },
        measures: [{ name: "whole", what: "a caption" }],
      },
      answered: answered(share("whole", 5 + shots, 10), Array(10).fill("noto")).map((each, i) => ({
        ...each,
        ...(shots === 4 && i === 9 && { error: "prompt-too-long" as const }),
      })),
    })),
    bindings(2, 11),
    bindings(8, 20),
    {
      task: { name: "styles", measures: [{ name: "followed", what: "a style", aim: 0.9, isMain: true }] },
      answered: answered(share("followed", 0, 4)).map((each) => ({ ...each, error: "prompt-too-long" })),
    },
  ],
});

test("the table: figure, interval, aim and number of queries", () => {
  const lines = markdown.split("\n");
  const main = lines.slice(lines.indexOf("| what | figure | 95% interval | aim | queries |") + 2);
  expect(main.slice(0, main.indexOf(""))).toEqual([
    "| a thing | 75.0% | 53.1% to 88.8% | ≥ 70%, met | 20 |",
    "| two-way, 8 shots | 100.0% | 83.9% to 100.0% | reported; chance 50% | 20 |",
    "| a style | 0.0% | 0.0% to 49.0% | ≥ 90%, missed | 4 (4 too long) |",
  ]);
  expect(lines[0]).toBe("# Evaluation of small");
  expect(markdown).toContain("Not asked, since the images are not at hand: cifar10.");
});

test("what is not aimed at by itself: other measures, examples side by side, and parts", () => {
  expect(markdown.split("\n").filter((line) => line.startsWith("## "))).toEqual([
    "## Other figures",
    "## With examples in the prompt",
    "## Names learnt from the prompt",
    "## Parts",
  ]);
  expect(markdown).toContain("| about a thing | 85.0% |");
  expect(markdown).toContain(
    "| what, measure | 0 shots | 4 shots |\n| --- | --: | --: |\n" +
      "| captions, whole | 50.0% (24–76) | 90.0% (60–98), 1 too long |",
  );
  expect(markdown).toContain(
    "| what, measure | 2-way, 2 shots | 2-way, 8 shots |\n| --- | --: | --: |\n" +
      "| image-image, ranked | 55.0% (34–74) | 100.0% (84–100) |",
  );
  expect(markdown).toContain("| scenes-0, by style |");
  expect(markdown).not.toContain("| scenes-4, by style |");
  expect(markdown).toContain(
    "| things, by style | named | nearly | queries |\n| --- | --: | --: | --: |\n" +
      "| flat | 37.5% (14–69) | 62.5% (31–86) | 8 |\n| noto | 100.0% (76–100) | 100.0% (76–100) | 12 |",
  );
});

test("the same figures for programs", () => {
  const { figures, ...rest } = JSON.parse(json);
  expect(rest).toEqual({
    model: { name: "small", digest: "abc", backend: "ort.ffi 1" },
    seed: 5,
    missing: ["cifar10"],
  });
  expect(figures.map((figure: { task: string; name: string; share: number }) => figure)).toMatchObject([
    { task: "things", name: "named", right: 15, queries: 20, share: 0.75, aim: 0.7, isMain: true },
    { task: "things", name: "nearly", right: 17, queries: 20 },
    { task: "scenes-0", right: 5 },
    { task: "scenes-4", right: 9 },
    { task: "names-image-image-2way-2shots", about: { ways: 2, shots: 2 }, right: 11, chance: 0.5 },
    { task: "names-image-image-2way-8shots", right: 20, high: 1 },
    { task: "styles", tooLong: 4, share: 0 },
  ]);
  expect(figures[0].parts.style.noto).toMatchObject({ right: 12, queries: 12 });
});

test("what examples do: a row for what was asked with any", () => {
  const { figures } = JSON.parse(json);
  expect(examplesTable(figures)).toBe(
    [
      "| examples in the prompt | 2 | 8 |",
      "| --- | --: | --: |",
      "| new names for two things, by ranking | 55.0% (34–74) | 100.0% (84–100) |",
    ].join("\n"),
  );
});
