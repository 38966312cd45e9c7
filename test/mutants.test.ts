/** What `npm run mutants` changes is there, just once, and so are the tests that must fail: it is run too seldom. */
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { checkpoints } from "../scripts/mutants/checkpoints.js";
import { data } from "../scripts/mutants/data.js";
import { generate } from "../scripts/mutants/generate.js";
import { images } from "../scripts/mutants/images.js";
import { models } from "../scripts/mutants/models.js";
import { pack } from "../scripts/mutants/pack.js";
import { review } from "../scripts/mutants/review.js";
import { runFolder } from "../scripts/mutants/runFolder.js";
import { runner } from "../scripts/mutants/runner.js";
import { training } from "../scripts/mutants/training.js";

const at = (path: string) => fileURLToPath(new URL(path, import.meta.url));

test.each([
  ...review,
  ...generate,
  ...runner,
  ...models,
  ...images,
  ...checkpoints,
  ...data,
  ...pack,
  ...runFolder,
  ...training,
])("$file: $what", ({ file, from, tests }) => {
  expect(readFileSync(at(`../src/${file}`), "utf8").split(from)).toHaveLength(2);
  expect(tests.filter((path) => !existsSync(at(path)))).toEqual([]);
});
