/** What a user is told of data that were left out. */
import { expect, test, vi } from "vitest";
import type { SkipCause } from "../../src/data/skips.js";
import { createSkipReport } from "../../src/train/skipReport.js";

const skip = (cause: SkipCause, shard: string) => ({ cause, shard, key: "k", what: "" });

test("faults are told of when they come, when they have doubled, and in the end; rejections in the end", () => {
  const onNotice = vi.fn();
  const report = createSkipReport(onNotice);
  const told = () => onNotice.mock.calls.splice(0).flat() as string[];
  report.tell();
  report.saw(skip("one-image", "a"));
  report.tell();
  expect(told()).toEqual([]);
  report.saw(skip("image-unreadable", "a"));
  report.tell();
  report.tell();
  expect(told()).toEqual(["left out of the data so far: 1 × an image cannot be decoded (a: 1)"]);
  report.saw(skip("image-unreadable", "b"));
  report.saw(skip("image-unreadable", "b"));
  report.tell();
  expect(told()).toEqual(["left out of the data so far: 3 × an image cannot be decoded (b: 2, a: 1)"]);
  for (const shard of ["c", "d", "e", "f"].slice(0, 2)) report.saw(skip("shard-damaged", shard));
  report.tell();
  expect(told()).toEqual([]);
  report.end();
  expect(told()).toEqual([
    "left out of the data: 3 × an image cannot be decoded (b: 2, a: 1); 2 × the shard is cut off or corrupt (c: 1, d: 1)",
    "left out by the rules of the data: 1 × a document with one image, dropped at random (a: 1)",
  ]);
});

test("of many shards those with most are named", () => {
  const onNotice = vi.fn();
  const report = createSkipReport(onNotice);
  for (const shard of ["a", "b", "c", "d", "e", "f", "g", "g"]) report.saw(skip("text-invalid", shard));
  report.end();
  expect(onNotice.mock.calls[0]![0]).toMatch(/\(g: 2, a: 1, b: 1, c: 1, d: 1 and 2 more shards\)$/);
});
