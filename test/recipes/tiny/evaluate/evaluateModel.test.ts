import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterAll, expect, test } from "vitest";
import { type EvaluationOptions, evaluateModel } from "../../../../recipes/tiny/evaluate/evaluateModel.js";
import { selected, tasksOf } from "../../../../recipes/tiny/evaluate/tasks.js";
import type { Flamingo } from "../../../../src/api/flamingo.js";
import { photographs, worldOf } from "./fixtures.js";

const folder = await mkdtemp(join(tmpdir(), "openflamingo-evaluate-model-"));
afterAll(() => rm(folder, { recursive: true }));

const tasks = selected(tasksOf(worldOf(5), { cifar10: photographs, tinyImageNet: [], omniglot: [] }), [
  "things",
  "questions",
  "cifar10",
  "names-image-image-2way-2shots",
]);
const options: Omit<EvaluationOptions, "output"> = {
  ...{ seed: 5, size: 16, digest: "abc", queries: 20, missing: ["omniglot"], sheet: ["things", "questions"] },
};

/** Says "yes" and takes the longest choice; a signal is aborted at query `until`. */
function model(until = Number.POSITIVE_INFINITY) {
  const stop = new AbortController();
  let asked = 0;
  const flamingo: Parameters<typeof evaluateModel>[0] = {
    name: "small",
    backend: "none",
    async generate() {
      if (++asked === until) stop.abort(new Error("stopped"));
      return { text: "yes" } as Awaited<ReturnType<Flamingo["generate"]>>;
    },
    rank: async (_, answers) => answers.map(({ length }) => length),
  };
  return { flamingo, signal: stop.signal };
}

const contentOf = async (output: string): Promise<Record<string, string>> => {
  const names = (await readdir(output, { recursive: true })).filter((name) => name.includes("."));
  const files = names.sort().map(async (name) => [name, await readFile(join(output, name), "base64")]);
  return Object.fromEntries(await Promise.all(files));
};

test("an evaluation that is stopped on its way, three times, leaves the same folder as one that is not", async () => {
  const [whole, stopped] = [join(folder, "whole"), join(folder, "stopped")];
  const report = await evaluateModel(model().flamingo, tasks, { ...options, output: whole });
  for (const until of [7, 30, 11]) {
    const { flamingo, signal } = model(until);
    await expect(evaluateModel(flamingo, tasks, { ...options, output: stopped, signal })).rejects.toThrow(
      "stopped",
    );
  }
  const told: string[] = [];
  const progress = (task: string) => () => told.push(task);
  await evaluateModel(model().flamingo, tasks, { ...options, output: stopped, progress });
  expect(told.length).toBe(80 - 7 - 30 - 11);
  const content = await contentOf(whole);
  expect(await contentOf(stopped)).toEqual(content);
  expect(Object.keys(content)).toEqual([
    "answers/cifar10.jsonl",
    "answers/names-image-image-2way-2shots.jsonl",
    "answers/questions.jsonl",
    "answers/things.jsonl",
    "report.json",
    "report.md",
    "sheet.png",
  ]);
  expect(Buffer.from(content["report.md"]!, "base64").toString()).toBe(report.markdown);
  expect((await sharp(Buffer.from(content["sheet.png"]!, "base64")).metadata()).format).toBe("png");
  const lines = (task: string) => Buffer.from(content[`answers/${task}.jsonl`]!, "base64").toString();
  expect(lines("questions").split("\n").length).toBe(22);
});
