/** What a run of training needs, as `openflamingo train --plan` shows it. */
import { shownSize } from "../base/bytes.js";
import type { BatchSizes, TrainingPlan } from "../train/plan.js";
import { rowsOf } from "./table.js";

export function planTable({
  trained,
  batches,
  memory,
  seconds,
  steps,
  hours,
  checkpoint,
  disk,
}: TrainingPlan): string {
  const size = ({ rows, tokens, images }: BatchSizes) => `${rows} rows of ${tokens} tokens, ${images} images`;
  const kinds = Object.entries<BatchSizes>(batches).map(([kind, sizes]) => `${kind}: ${size(sizes)}`);
  const rows = [
    ["trained parameters", `${(trained / 1e6).toFixed(trained < 1e7 ? 2 : 0)} M`, ""],
    ["memory in all", shownSize(memory.total), "the most that this process had"],
    ["  parameters", shownSize(memory.parameters), "float32"],
    ["  moments", shownSize(memory.moments), "of AdamW"],
    ["  gradients", shownSize(memory.gradients), ""],
    ["  frozen weights", shownSize(memory.frozen), ""],
    ["  activations", shownSize(memory.activations), kinds.join("; ")],
    [
      "a step",
      shownSeconds(seconds.step),
      `optimizer ${shownSeconds(seconds.optimizer)}, images ${shownSeconds(seconds.encoding)}`,
    ],
    ["steps", `${steps}`, `the first takes ${shownSeconds(seconds.firstMore)} more`],
    ["time in all", shownHours(hours), "without validation and checkpoints"],
    ["a checkpoint", shownSize(checkpoint), `${shownSize(disk)} for as many as the run keeps`],
  ];
  return rowsOf(rows);
}

const shownSeconds = (seconds: number): string =>
  seconds < 1 ? `${(1000 * seconds).toPrecision(3)} ms` : `${seconds.toFixed(seconds < 10 ? 2 : 1)} s`;

const shownHours = (hours: number): string =>
  hours >= 1
    ? `${hours.toFixed(1)} h`
    : hours >= 1 / 60
      ? `${(60 * hours).toFixed(1)} min`
      : `${Math.ceil(3600 * hours)} s`;
