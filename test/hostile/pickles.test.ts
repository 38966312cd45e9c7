/** Every hostile pickle, in a torch archive on disk, by the two ways on which a user meets it. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { ModelAndTransforms } from "../../src/index.js";
import { createTinyModel } from "../api/compat/opened.js";
import { float32, folderOf, temporaryFolder, zip } from "../checkpoints/fixtures.js";
import { rejected } from "../reliability.js";
import { tinyModel } from "../tinyModel.js";
import { differs, expectDistinct, expectRejected, openFiles, readAll } from "./expect.js";
import { hostilePickles } from "./pickles.js";

/** A torch archive around a pickle, with the twelve numbers that its tensors may look at. */
const archive = (pickle: string): string =>
  zip([
    { name: "model/data.pkl", data: pickle },
    { name: "model/data/0", data: float32(...Array(12).fill(1)) },
  ]);

const path = join(temporaryFolder(), "model.pt");
const write = (pickle: string) => writeFileSync(path, archive(pickle), "latin1");

let created: ModelAndTransforms;
beforeAll(async () => {
  created = await createTinyModel(tinyModel("tiny-openflamingo-9b"));
});
afterAll(() => created.model.close());

test("there are at least 60 hostile pickles, no two trying the same or reported the same", () => {
  expect(hostilePickles.length).toBeGreaterThanOrEqual(60);
  expectDistinct(hostilePickles);
});

const expectNew = differs();
test.each(hostilePickles)("$name ($tries) is rejected by its own words", async (row) => {
  write(row.bytes);
  const before = openFiles();
  const reported = await expectRejected(row, () => readAll(path));
  expect(reported, "the file").toContain(path);
  expectNew(reported);
  expect(openFiles(), "open files").toBe(before);
  const again = await expectRejected(row, () => created.model.loadStateDict(path, { strict: false }));
  expect(again).toBe(reported);
  rejected("Pickles", `${row.name}: ${row.tries}`, row.code);
});

test("a shard is read no more trustingly than a whole file", async () => {
  const row = hostilePickles[0]!;
  const index = JSON.stringify({ weight_map: { w: "1.bin" } });
  const folder = folderOf({ "pytorch_model.bin.index.json": index, "1.bin": archive(row.bytes) });
  await expectRejected(row, () => readAll(folder));
});
