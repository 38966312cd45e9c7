/**
 * Every number of every JSON file of a model, replaced by others: the answer is right, or the file is rejected in 2
 * seconds and 200 MB. A sample here; all with OPENFLAMINGO_EVERY=1.
 */
import { afterAll, describe, expect } from "vitest";
import { OpenFlamingoError } from "../../src/base/errors.js";
import { randomOf } from "../fuzz/kind.js";
import { hasGolden } from "../goldens.js";
import { slowTest } from "../slow.js";
import { type Change, changeableModel, nameOf } from "./configurations.js";

const every = process.env.OPENFLAMINGO_EVERY === "1";
const values = [2 ** 24, 2 ** 31, -1, 0.5, "true", null];

/** Settings that are obeyed: another answer is right. */
const obeyed = [
  /^clip\/open_clip_config\.json: preprocess_cfg\.(mean|std)\./,
  /^lang\/config\.json: rotary_(emb_base|pct) /,
  /alibi_bias_max /,
];

const models = ["9b", "3b", "4b"]
  .map((size) => `tiny-openflamingo-${size}`)
  .filter((name) => {
    const isThere = hasGolden(`${name}/checkpoint.pt`);
    if (!isThere) console.log(`skipped, as goldens/${name} is not at hand: its numbers`);
    return isThere;
  });

/** A few of each file, the same every day. */
function sampled(changes: readonly Change[], ofEachFile: number): readonly Change[] {
  if (every) return changes;
  const random = randomOf("configurations", 1, 0);
  const files = [...new Set(changes.map(({ file }) => file))];
  return files.flatMap((file) => {
    const ofFile = changes.filter((change) => change.file === file);
    return Array.from({ length: Math.min(ofEachFile, ofFile.length) }, () => random.pick(ofFile));
  });
}

describe.each(models)("%s", (name) => {
  const model = changeableModel(name);
  afterAll(() => model.close());

  slowTest(
    "every number is obeyed, harmless or rejected, at once",
    {
      timeout: every ? 3_600_000 : 120_000,
    },
    async () => {
      const changes = sampled(
        model.changes((value) => typeof value === "number", values),
        12,
      );
      const untouched = new Map<string, unknown>();
      for (const file of new Set(changes.map((change) => change.file))) {
        const { answer, error } = await model.outcomeOf(model.noChange(file));
        expect(error).toBeUndefined();
        untouched.set(file, answer);
      }
      const counts = { right: 0, obeyed: 0, rejected: 0 };
      const faults: string[] = [];
      let [slowest, most] = [0, 0];
      for (const change of changes) {
        const { answer, error, seconds, memory } = await model.outcomeOf(change);
        const what = nameOf(change);
        if (memory > 200) faults.push(`${what}: ${memory.toFixed()} MiB`);
        most = Math.max(most, memory);
        if (error === undefined) {
          const isSame = JSON.stringify(answer) === JSON.stringify(untouched.get(change.file));
          const isObeyed = obeyed.some((pattern) => pattern.test(what));
          if (!isSame && !isObeyed) faults.push(`${what}: accepted, with another answer`);
          counts[isSame ? "right" : "obeyed"]++;
          continue;
        }
        counts.rejected++;
        slowest = Math.max(slowest, seconds);
        if (seconds > 2) faults.push(`${what}: rejected after ${seconds.toFixed(1)} s`);
        if (!(error instanceof OpenFlamingoError) || error.code === "internal")
          faults.push(`${what}: ${error}`);
      }
      console.log(
        `${name}: ${changes.length} changes, ${JSON.stringify(counts)}; the slowest rejection took ` +
          `${slowest.toFixed(2)} s, the peak grew by ${most.toFixed()} MiB at most`,
      );
      expect(faults).toEqual([]);
    },
  );
});
