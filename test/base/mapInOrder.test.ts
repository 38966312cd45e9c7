import { expect, test } from "vitest";
import { mapInOrder } from "../../src/base/mapInOrder.js";

const wait = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

async function collect<T>(results: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const result of results) all.push(result);
  return all;
}

test("results come in the order of the items, however long each takes", async () => {
  const results = mapInOrder([30, 0, 10, 0, 0], 3, async (time, index) => {
    await wait(time);
    return index;
  });
  expect(await collect(results)).toEqual([0, 1, 2, 3, 4]);
});

test("no more than `width` items are worked on at once, and none is taken before there is room", async () => {
  let atWork = 0;
  let most = 0;
  let taken = 0;
  function* endless() {
    for (;;) yield taken++;
  }
  const results = mapInOrder(endless(), 3, async (item) => {
    most = Math.max(most, ++atWork);
    await wait(1);
    atWork--;
    return item;
  });
  for (let i = 0; i < 20; i++) expect((await results.next()).value).toBe(i);
  expect(most).toBe(3);
  await wait(20); // a reader who does not ask gets nothing done beyond what is under way
  expect(taken).toBeLessThanOrEqual(20 + 3);
  await results.return();
});

test("a reader who leaves early aborts what is under way, and waits for it", async () => {
  const aborted: number[] = [];
  let open = 0;
  const results = mapInOrder([0, 1, 2, 3], 4, async (item, _, signal) => {
    open++;
    if (item > 0) await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
    if (signal.aborted) aborted.push(item);
    open--;
    return item;
  });
  for await (const result of results) {
    expect(result).toBe(0);
    break;
  }
  expect(aborted).toEqual([1, 2, 3]);
  expect(open).toBe(0);
});

test("a failure comes when its turn does, and stops the rest", async () => {
  const seen: number[] = [];
  const results = mapInOrder([0, 1, 2, 3, 4], 2, async (item) => {
    if (item === 2) throw new Error("the third");
    return item;
  });
  await expect(
    (async () => {
      for await (const result of results) seen.push(result);
    })(),
  ).rejects.toThrow("the third");
  expect(seen).toEqual([0, 1]);
});

test("items may come asynchronously", async () => {
  async function* slowly() {
    for (const item of ["a", "b"]) {
      await wait(1);
      yield item;
    }
  }
  expect(await collect(mapInOrder(slowly(), 2, async (item, index) => item + index))).toEqual(["a0", "b1"]);
});
