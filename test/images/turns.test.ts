import { expect, test } from "vitest";
import { within } from "../../src/images/deadline.js";
import { channelsOf, type Mode, type Raster } from "../../src/images/image.js";
import { preprocess, toSquare } from "../../src/images/preprocess.js";
import { resizing } from "../../src/images/resize.js";
import { atOnce, inTurns, type Steps, samplesOfAStep } from "../../src/images/turns.js";
import { mean, std } from "./goldens.js";

const modes = Object.keys(channelsOf) as Mode[];

function ramp(mode: Mode, width: number, height: number): Raster {
  const length = width * height * channelsOf[mode];
  const value = (_: unknown, i: number) => Math.imul(i, 2654435761) >>> 24;
  if (mode === "I;16" || mode === "I;16B")
    return { mode, width, height, data: Uint16Array.from({ length }, value) };
  if (mode === "F") return { mode, width, height, data: Float32Array.from({ length }, value) };
  return { mode, width, height, data: Uint8Array.from({ length }, value) };
}

const settings = { size: 32, mean, std };

test.each(modes)("a %s image made square in turns becomes the same numbers", async (mode) => {
  for (const [width, height] of [
    [700, 500],
    [3, 400],
    [400, 3],
    [32, 32],
    [5, 9],
  ] as const) {
    const raster = ramp(mode, width, height);
    const square = await toSquare(raster, 32);
    expect(square).toMatchObject({ mode, width: 32, height: 32 });
    expect(preprocess(square, settings)).toEqual(preprocess(raster, settings));
  }
});

test("a large image is resized in steps of which none looks at many samples", () => {
  const raster = ramp("RGBA", 2000, 2000);
  let steps = 0;
  const resized = resizing(raster, { width: 224, height: 224 }, { left: 0, top: 0, width: 224, height: 224 });
  while (!resized.next().done) steps++;
  // Bands of rows in the first pass, rows of the result in the second.
  expect(steps).toBeGreaterThanOrEqual(Math.trunc(raster.data.length / samplesOfAStep) + 224);
});

test("a line of millions of pixels is looked through in steps", () => {
  const line = ramp("1", 1, 100_000);
  const to = { width: 100, height: 10_000_000 };
  const resized = resizing(line, to, { left: 0, top: 9_000_000, width: 1, height: 1 });
  let steps = 0;
  while (!resized.next().done) steps++;
  expect(steps).toBeGreaterThan(30);
});

test("work in turns lets others run, and ends when it is aborted", async () => {
  function* endless(): Steps<never> {
    for (;;) yield;
  }
  const controller = new AbortController();
  setTimeout(() => controller.abort(new Error("enough")));
  await expect(inTurns(endless(), controller.signal)).rejects.toThrow("enough");
});

test("work gives its result at once and in turns", async () => {
  function* three(): Steps<number> {
    yield;
    yield;
    return 3;
  }
  expect([atOnce(three()), await inTurns(three(), undefined)]).toEqual([3, 3]);
});

test("work that is late is reported, and no longer waited for; work in time is not", async () => {
  const late = () => new Error("late");
  let own: AbortSignal | undefined;
  const never = (signal: AbortSignal) => {
    own = signal;
    return new Promise<never>(() => {});
  };
  await expect(within(0.001, { signal: undefined, late }, never)).rejects.toThrow("late");
  expect(own!.reason).toEqual(new Error("late"));

  const controller = new AbortController();
  const stopped = within(Infinity, { signal: controller.signal, late }, never);
  controller.abort(new Error("enough"));
  await expect(stopped).rejects.toThrow("enough");
  expect(own!.reason).toEqual(new Error("enough"));
  await expect(within(9, { signal: controller.signal, late }, never)).rejects.toThrow("enough");

  expect(await within(Infinity, { signal: undefined, late }, async () => 7)).toBe(7);
});
