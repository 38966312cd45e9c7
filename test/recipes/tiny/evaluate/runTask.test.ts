import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { digestOf, openForEvaluation } from "../../../../recipes/tiny/evaluate/openModel.js";
import { runTask } from "../../../../recipes/tiny/evaluate/runTask.js";
import { tasksOf } from "../../../../recipes/tiny/evaluate/tasks.js";
import type { Flamingo } from "../../../../src/api/flamingo.js";
import { load } from "../../../../src/api/load.node.js";
import { OpenFlamingoError } from "../../../../src/base/errors.js";
import { worldOf } from "./fixtures.js";

const folder = await mkdtemp(join(tmpdir(), "openflamingo-evaluate-"));
afterAll(() => rm(folder, { recursive: true }));

const tasks = tasksOf(worldOf(5), { cifar10: [], tinyImageNet: [], omniglot: [] });
const taskOf = (name: string) => tasks.find((task) => task.name === name)!;
const headerOf = (task: string) => ({ task, seed: 5, size: 16, model: "none" });

type Asked = Pick<Flamingo, "generate" | "rank">;

/** Says " an ox " to everything, and finds the first choice the best. @param from the query at which it fails, with what */
function model(from = Number.POSITIVE_INFINITY, failure: Error = new Error("killed")) {
  let asked = 0;
  const flamingo: Asked = {
    async generate() {
      if (asked++ >= from) throw failure;
      return { text: " an ox " } as Awaited<ReturnType<Asked["generate"]>>;
    },
    rank: async (_, answers) => answers.map((_, i) => -1 - i),
  };
  return { flamingo, asked: () => asked };
}

test.each(["things", "names-image-query-2way-2shots"])(
  "%s: a run that was killed goes on where it was and leaves the same file",
  async (name) => {
    const task = taskOf(name);
    const header = headerOf(name);
    const [whole, killed] = [join(folder, name, "whole.jsonl"), join(folder, name, "killed.jsonl")];
    const all = await runTask(model().flamingo, task, { queries: 20, path: whole, header });
    expect(all.map(({ index }) => index)).toEqual(Array.from({ length: 20 }, (_, i) => i));

    const options = { queries: 20, path: killed, header };
    await expect(runTask(model(7).flamingo, task, options)).rejects.toThrow("killed");
    // A kill may cut a line anywhere, also through the one that says what the file is.
    const text = await readFile(killed, "utf8");
    expect(text.split("\n").length).toBe(9);
    await writeFile(killed, text.slice(0, -5));
    const rest = model();
    expect(await runTask(rest.flamingo, task, options)).toEqual(all);
    expect(rest.asked()).toBe(14);
    expect(await readFile(killed, "utf8")).toBe(await readFile(whole, "utf8"));
    await writeFile(killed, text.slice(0, 10));
    expect(await runTask(model().flamingo, task, options)).toEqual(all);
    expect(await readFile(killed, "utf8")).toBe(await readFile(whole, "utf8"));

    const idle = model();
    expect(await runTask(idle.flamingo, task, { ...options, queries: 5 })).toEqual(all.slice(0, 5));
    expect(idle.asked()).toBe(0);
  },
);

test("a record says what was asked, answered, wanted and right", async () => {
  const path = join(folder, "records.jsonl");
  const name = "names-image-image-2way-0shots";
  const told: number[][] = [];
  const progress = (done: number, total: number) => told.push([done, total]);
  const all = await runTask(model().flamingo, taskOf(name), {
    ...{ queries: 3, path, header: headerOf(name), progress },
  });
  const { choices, accepted } = await taskOf(name).query(0);
  expect(all[0]).toEqual({
    index: 0,
    prompt: "<image>",
    accepted,
    text: "an ox",
    ranked: choices,
    right: { ranked: choices![0] === accepted[0], greedy: false },
  });
  expect(told).toEqual([
    [1, 3],
    [2, 3],
    [3, 3],
  ]);
});

test("answers of another model, or to other queries, are not mixed with these", async () => {
  const path = join(folder, "other.jsonl");
  const run = (header: ReturnType<typeof headerOf>, task = taskOf("things")) =>
    runTask(model().flamingo, task, { queries: 2, path, header });
  await run(headerOf("things"));
  const before = await readFile(path, "utf8");
  await expect(run({ ...headerOf("things"), model: "another" })).rejects.toThrow("or of another model");
  // The world changed, though nothing that the header says of it did.
  const other = tasksOf(worldOf(6), { cifar10: [], tinyImageNet: [], omniglot: [] })[0]!;
  await expect(run(headerOf("things"), other)).rejects.toThrow("answers to other queries");
  expect(await readFile(path, "utf8")).toBe(before);
});

test("a prompt that is too long for the model is a wrong answer; any other failure ends the run", async () => {
  const failing = (code: "prompt-too-long" | "memory") =>
    model(1, new OpenFlamingoError(code, "it does not fit", { hint: "" })).flamingo;
  const name = "names-text-text-2way-16shots";
  const options = { queries: 3, path: join(folder, "long.jsonl"), header: headerOf(name) };
  const all = await runTask(failing("prompt-too-long"), taskOf(name), options);
  expect(all.map(({ error }) => error)).toEqual([undefined, "prompt-too-long", "prompt-too-long"]);
  expect(all[1]).toMatchObject({ text: "", right: { ranked: false, greedy: false } });
  const path = join(folder, "memory.jsonl");
  await expect(runTask(failing("memory"), taskOf(name), { ...options, path })).rejects.toThrow("not fit");
});

test("the bundled model answers, and as the one that keeps no images", async () => {
  const [own, usual] = [await openForEvaluation(), await load()];
  try {
    for (const name of ["questions", "names-image-image-2way-2shots"]) {
      const run = (flamingo: Flamingo, file: string) =>
        runTask(flamingo, taskOf(name), {
          ...{ queries: 3, path: join(folder, `${name}-${file}.jsonl`), header: headerOf(name) },
        });
      const all = await run(own, "own");
      expect(all).toEqual(await run(usual, "usual"));
      expect(all.filter(({ text }) => text !== "").length).toBeGreaterThan(0);
    }
  } finally {
    await own.close();
    await usual.close();
  }
});

test("a model's digest is of its files and their names, wherever they are", async () => {
  const digest = async (files: Record<string, string>) => {
    const at = await mkdtemp(join(folder, "model-"));
    for (const [name, text] of Object.entries(files)) await writeFile(join(at, name), text);
    return digestOf(at);
  };
  const one = await digest({ a: "1", b: "2" });
  expect(one).toMatch(/^[0-9a-f]{16}$/);
  expect(await digest({ b: "2", a: "1" })).toBe(one);
  expect(await digest({ a: "2", b: "1" })).not.toBe(one);
  expect(await digest({ a: "1", c: "2" })).not.toBe(one);
});
