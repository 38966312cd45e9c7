import { expect, test } from "vitest";
import { onAbort } from "../../src/base/abort.js";

test("every action is called once, in order, and none that was taken away", () => {
  const controller = new AbortController();
  const called: number[] = [];
  const add = (i: number) => onAbort(controller.signal, () => called.push(i));
  const takeAway = [1, 2, 3, 4].map(add);
  takeAway[1]!();
  takeAway[1]!();
  controller.abort();
  controller.abort();
  for (const take of takeAway) take();
  expect(called).toEqual([1, 3, 4]);
});

test("one function may wait twice", () => {
  const controller = new AbortController();
  let called = 0;
  const action = () => called++;
  const [first] = [onAbort(controller.signal, action), onAbort(controller.signal, action)];
  first!();
  controller.abort();
  expect(called).toBe(1);
});

test("a signal has one listener while anything waits, and none when nothing does", () => {
  const { signal } = new AbortController();
  let listeners = 0;
  const { addEventListener, removeEventListener } = signal;
  signal.addEventListener = (...args: unknown[]) => {
    listeners++;
    Reflect.apply(addEventListener, signal, args);
  };
  signal.removeEventListener = (...args: unknown[]) => {
    listeners--;
    Reflect.apply(removeEventListener, signal, args);
  };
  for (let round = 0; round < 2; round++) {
    const takeAway = Array.from({ length: 100 }, () => onAbort(signal, () => {}));
    expect(listeners).toBe(1);
    for (const take of takeAway) {
      expect(listeners).toBe(1);
      take();
    }
    expect(listeners).toBe(0);
  }
});

test("what is taken away a second time takes nothing else with it", () => {
  const controller = new AbortController();
  let called = 0;
  const first = onAbort(controller.signal, () => {});
  first();
  onAbort(controller.signal, () => called++);
  first();
  controller.abort();
  expect(called).toBe(1);
});

test("without a signal, and after the abort, nothing waits", () => {
  let called = 0;
  onAbort(undefined, () => called++)();
  onAbort(AbortSignal.abort(), () => called++)();
  expect(called).toBe(0);
});
