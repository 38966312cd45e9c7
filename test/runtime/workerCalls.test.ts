import { Worker, type WorkerOptions } from "node:worker_threads";
import { expect, test } from "vitest";
import { WorkerCalls } from "../../src/runtime/workerCalls.node.js";

/** A worker that doubles numbers, rejects those below 0, and dies of those above 100. */
const source = `
  import { parentPort } from "node:worker_threads";
  parentPort.on("message", ({ id, argument }) => {
    if (argument > 100) throw new Error("too much");
    parentPort.postMessage(argument < 0 ? { id, error: "below 0" } : { id, result: 2 * argument });
  });
`;
const doubling = (options: WorkerOptions) =>
  new Worker(new URL(`data:text/javascript,${encodeURIComponent(source)}`), options);
type Doubling = { double: (argument: number) => number };

test("each call gets its own answer, or its own error", async () => {
  const calls = new WorkerCalls<Doubling>(doubling);
  const answers = [1, -1, 3].map((argument) => calls.call("double", argument));
  const [two, rejected, six] = await Promise.allSettled(answers);
  expect([two, six]).toMatchObject([{ value: 2 }, { value: 6 }]);
  expect(rejected).toMatchObject({ reason: { message: "below 0" } });
  await calls.close();
});

test("when the thread dies, all that wait and all that come fail with its error", async () => {
  const calls = new WorkerCalls<Doubling>(doubling);
  const waiting = [101, 2].map((argument) => calls.call("double", argument));
  for (const answer of waiting) await expect(answer).rejects.toThrow("too much");
  await expect(calls.call("double", 1)).rejects.toThrow("too much");
  await calls.close();
});

test("closing, which is harmless when repeated, waits for answers and rejects calls", async () => {
  const calls = new WorkerCalls<Doubling>(doubling);
  const two = calls.call("double", 1);
  const closing = [calls.close(), calls.close()];
  await expect(calls.call("double", 1)).rejects.toThrow("the worker thread was closed");
  expect(await two).toBe(2);
  await Promise.all(closing);
});

test("an argument that cannot travel fails its call alone", async () => {
  const calls = new WorkerCalls<{ double: (argument: unknown) => number }>(doubling);
  await expect(calls.call("double", () => 1)).rejects.toThrow(/could not be cloned/);
  expect(await calls.call("double", 4)).toBe(8);
  await calls.close();
});
