/** Changes to the loop of training, and to what it keeps. */
import type { Mutant } from "./mutant.js";

const inRuns = ["train/trainer.test.ts"];
const withFaults = ["train/faults.test.ts"];
const inParts = ["train/epochs.test.ts"];
const inCache = ["train/featureCache.test.ts"];

export const training: readonly Mutant[] = [
  {
    what: "an epoch's last step takes as many batches as the others",
    file: "train/epochs.ts",
    from: "Math.min(accumulation, batches - (step % epochSteps) * accumulation)",
    to: "Math.min(accumulation, batches + step)",
    tests: inParts,
  },
  {
    what: "an epoch's rest makes no step",
    file: "train/epochs.ts",
    from: "Math.ceil(batches / accumulation)",
    to: "Math.max(1, Math.floor(batches / accumulation))",
    tests: inParts,
  },
  {
    what: "a trained row is taken from the place of another",
    file: "learn/stateTensors.ts",
    from: "view.set(data.subarray(row, row + width), i)",
    to: "view.set(data.subarray(i, i + width), i)",
    tests: inParts,
  },
  {
    what: "the embedding's rows are written over the model's own",
    file: "learn/stateTensors.ts",
    from: "numbers.slice()",
    to: "numbers",
    tests: inParts,
  },
  {
    what: "a moment holds the model's own rows",
    file: "learn/stateTensors.ts",
    from: 'array === "parameters" ? ',
    to: "array.length > 0 ? ",
    tests: inParts,
  },
  {
    what: "a frozen embedding is not in the run's model",
    file: "train/steps.ts",
    from: "{ ...tensors, frozen: frozenOf(step.state, step.whole) }",
    to: "tensors",
    tests: inRuns,
  },
  {
    what: "the place in the data is that of the step before",
    file: "train/steps.ts",
    from: "      done++;\n      data = position;\n",
    to: "      done++;\n      if (done > 1) data = position;\n",
    tests: inRuns,
  },
  {
    what: "a run goes on with the schedule's first step",
    file: "train/trainer.node.ts",
    from: "state.step = (latest.schedule as { readonly steps: number }).steps;",
    to: "state.step = 0;",
    tests: inRuns,
  },
  {
    what: "what was reached is not saved in the end",
    file: "train/steps.ts",
    from: "if (done > saved && !isOver) {",
    to: "if (done < saved) {",
    tests: inRuns,
  },
  {
    what: "a caption that fails ends the run",
    file: "train/trainer.node.ts",
    from: "if (!(error instanceof OpenFlamingoError)) throw error;\n    onNotice",
    to: "if (error) throw error;\n    onNotice",
    tests: inRuns,
  },
  {
    what: "steps are read twice",
    file: "train/trainer.node.ts",
    from: "        isRead = true;\n",
    to: "",
    tests: inRuns,
  },
  {
    what: "the checkpoint of a step that led to no number takes an earlier one's place",
    file: "train/steps.ts",
    from: "await save(Number.MAX_SAFE_INTEGER)",
    to: "await save()",
    tests: withFaults,
  },
  {
    what: "parameters that are no numbers are saved",
    file: "train/steps.ts",
    from: "step.state.parameters.every(Number.isFinite)",
    to: "step.state.parameters.length > 0",
    tests: withFaults,
  },
  {
    what: "a state that is half changed is saved",
    file: "train/steps.ts",
    from: "isOver = step.isDamaged();",
    to: "isOver = false;",
    tests: withFaults,
  },
  {
    what: "a full disk hides what ended the run",
    file: "train/steps.ts",
    from: "if (!(failure instanceof OpenFlamingoError)) throw error;",
    to: "throw error;",
    tests: withFaults,
  },
  {
    what: "a resumed run reads the shards that are there now",
    file: "train/shardsOfRun.node.ts",
    from: "if (begun.length === 0) return given;",
    to: "if (begun.length >= 0) return given;",
    tests: withFaults,
  },
  {
    what: "two processes write the same features",
    file: "train/featureCache.node.ts",
    from: 'if ("owner" in lock) {',
    to: 'if ("owner" in lock && folder === "") {',
    tests: inCache,
  },
  {
    what: "part of a record counts as all of it",
    file: "train/featureCache.node.ts",
    from: "done += (await file.write(bytes, done, bytes.length - done, position + done)).bytesWritten;",
    to: "await file.write(bytes, done, bytes.length - done, position + done);\n    done = bytes.length;",
    tests: inCache,
  },
  {
    what: "a damaged record is given out",
    file: "train/featureCache.node.ts",
    from: "if (isWhole && crc32(bytesOf(values)) === place.crc) return values;",
    to: "if (isWhole) return values;",
    tests: inCache,
  },
];
