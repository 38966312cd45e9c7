/** Changes to what a training run keeps on disk. */
import type { Mutant } from "./mutant.js";

const inFolder = ["runs/runFolder.test.ts"];
const onDisk = ["runs/fullDisk.test.ts"];

export const runFolder: readonly Mutant[] = [
  {
    what: "the newest checkpoint does not count among those that are kept",
    file: "runs/manifest.ts",
    from: ".slice(0, Math.max(1, keep))",
    to: ".slice(0, keep - 1)",
    tests: inFolder,
  },
  {
    what: "a checkpoint of the same step goes before the new one has its place",
    file: "runs/saveCheckpoint.node.ts",
    from: "await rename(final, replaced);",
    to: "await rm(final, { recursive: true });",
    tests: onDisk,
  },
  {
    what: "a checkpoint that could not be put in its place loses the one that was there",
    file: "runs/saveCheckpoint.node.ts",
    from: "    if (isThere) await rename(replaced, final);\n",
    to: "",
    tests: onDisk,
  },
  {
    what: "what was about to be replaced is removed",
    file: "runs/runFolder.node.ts",
    from: "if (isLost) await rename",
    to: "if (isLost && false) await rename",
    tests: inFolder,
  },
  {
    what: "sums of files are not compared",
    file: "runs/openCheckpoint.node.ts",
    from: 'if (hash.digest("hex") !== sha256)',
    to: "if (sha256.length === 0)",
    tests: inFolder,
  },
  {
    what: "a manifest may have been changed by hand",
    file: "runs/checkedJson.node.ts",
    from: "if (sha256 !== sumOf(document))",
    to: "if (sha256 === undefined)",
    tests: inFolder,
  },
  {
    what: "a manifest may name files elsewhere",
    file: "runs/manifest.ts",
    from: "/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/",
    to: "/^[A-Za-z0-9./][/A-Za-z0-9._-]{0,99}$/",
    tests: inFolder,
  },
  {
    what: "a damaged checkpoint stays among the others",
    file: "runs/runFolder.node.ts",
    from: "await rename(join(checkpoints, name), join(checkpoints, aside));",
    to: "",
    tests: inFolder,
  },
  {
    what: "a trainer whose lock is another's goes on saving",
    file: "runs/runFolder.node.ts",
    from: "if (!(await lock.isHeld()))",
    to: "if (!lock)",
    tests: inFolder,
  },
  {
    what: "a run's model stays the checkpoint that it was opened with",
    file: "runs/runFolder.node.ts",
    from: "if (model) await describeRunModel",
    to: "if (model && !latest) await describeRunModel",
    tests: ["runs/runModel.test.ts"],
  },
  {
    what: "a resumed run keeps the line after the step that it goes on from",
    file: "runs/appended.node.ts",
    from: "entry.step > lastStep",
    to: "entry.step > lastStep + 1",
    tests: ["runs/logs.test.ts"],
  },
  {
    what: "half of an entry stays in a log that could not be written",
    file: "runs/appended.node.ts",
    from: "await file.truncate(end).catch(() => {});",
    to: "",
    tests: onDisk,
  },
  {
    what: "a moment is read in the place of the other",
    file: "runs/openCheckpoint.node.ts",
    from: "await read(optimizer, into.expAvgSq, momentNames.expAvgSq);",
    to: "await read(optimizer, into.expAvgSq, momentNames.expAvg);",
    tests: inFolder,
  },
  {
    what: "asPublished counts more than what is given",
    file: "train/options/readOptions.ts",
    from: "if (Object.hasOwn(values, name)) continue;",
    to: 'if (Object.hasOwn(values, name) && !(asPublished && option.kind === "boolean" && option.published)) continue;',
    tests: ["train/options/options.test.ts"],
  },
  {
    what: "a bfloat16 is cut off in place of rounded",
    file: "checkpoints/writtenTensor.ts",
    from: "(word + 0x7fff + ((word >>> 16) & 1)) >>> 16",
    to: "word >>> 16",
    tests: ["checkpoints/torch/writeTorch.test.ts"],
  },
  {
    what: "an archive's sizes in 64 bits stand in another order",
    file: "checkpoints/torch/writeZip.node.ts",
    from: "[...(isWide ? [entry.size, entry.size] : []), ...(isFar ? [entry.at] : [])]",
    to: "[...(isFar ? [entry.at] : []), ...(isWide ? [entry.size, entry.size] : [])]",
    tests: ["checkpoints/torch/writeTorch.test.ts"],
  },
];
