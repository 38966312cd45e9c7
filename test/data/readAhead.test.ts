/** Items that are ready before they are asked for. */
import { expect, test } from "vitest";
import { readAhead, timed } from "../../src/data/readAhead.js";

const settled = () => new Promise((resolve) => setTimeout(resolve));

function source(count: number) {
  const state = { made: 0, closed: false };
  async function* items() {
    try {
      while (state.made < count) yield state.made++;
    } finally {
      state.closed = true;
    }
  }
  return { state, items: items() };
}

test("so many items are ready, and no more", async () => {
  const { state, items } = source(100);
  const ahead = readAhead(items, { count: 3, stop: () => {} });
  expect((await ahead.next()).value).toBe(0);
  await settled();
  expect(state.made).toBe(4);
  await ahead.next();
  await settled();
  expect(state.made).toBe(5);
  await ahead.return();
});

test("with none ahead, each is made when it is asked for", async () => {
  const { state, items } = source(100);
  const ahead = readAhead(items, { count: 0, stop: () => {} });
  await ahead.next();
  await settled();
  expect(state.made).toBe(1);
  await ahead.return();
});

test("all items come in their order, and the end", async () => {
  const found: number[] = [];
  for await (const each of readAhead(source(10).items, { count: 4, stop: () => {} })) found.push(each);
  expect(found).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
});

test("a reader that stops early stops the source", async () => {
  const { state, items } = source(100);
  let stopped = 0;
  for await (const _ of readAhead(items, { count: 2, stop: () => stopped++ })) break;
  expect(stopped).toBe(1);
  expect(state.closed).toBe(true);
});

test("an error comes when its turn is, after the items before it", async () => {
  async function* failing() {
    yield 1;
    throw new RangeError("second");
  }
  const ahead = readAhead(failing(), { count: 3, stop: () => {} });
  expect((await ahead.next()).value).toBe(1);
  await settled();
  await expect(ahead.next()).rejects.toThrow("second");
});

test("the share of waiting is of the time since the first item", async () => {
  let now = 0;
  async function* slow() {
    for (;;) {
      now += 2;
      yield now;
    }
  }
  const { items, waiting } = timed(slow(), () => now);
  expect(waiting()).toEqual({ seconds: 0, share: 0 });
  await items.next(); // 2 seconds that do not count
  now += 6;
  await items.next();
  expect(waiting()).toEqual({ seconds: 2, share: 2 / 8 });
  now += 10;
  await items.next();
  expect(waiting()).toEqual({ seconds: 4, share: 4 / 20 });
  await items.return();
});
