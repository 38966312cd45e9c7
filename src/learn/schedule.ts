/**
 * Learning rates by step: constant, linear or cosine, after a warm-up.
 *
 * Reference: transformers 4.33.3, `get_constant_schedule_with_warmup`, `get_linear_schedule_with_warmup` and
 * `get_cosine_schedule_with_warmup`; for the warm-up see `Published.zeroFirstLearningRate`.
 */
import type { Published } from "./published.js";

export const scheduleKinds = ["constant", "linear", "cosine"] as const;

export interface Schedule {
  readonly kind: (typeof scheduleKinds)[number];
  /** Steps of the optimizer until the rate is whole; none when left out. */
  readonly warmupSteps?: number | undefined;
  /** Steps of the optimizer in all, at whose end linear and cosine are 0. `constant` does not look at it. */
  readonly totalSteps: number;
}

/**
 * The share of the learning rate at a step of the optimizer.
 *
 * @param step counted from 0
 */
export function rateAt(
  step: number,
  { kind, warmupSteps = 0, totalSteps }: Schedule,
  { zeroFirstLearningRate = false }: Pick<Published, "zeroFirstLearningRate"> = {},
): number {
  if (step < warmupSteps) return zeroFirstLearningRate ? step / warmupSteps : (step + 1) / (warmupSteps + 1);
  const progress = (step - warmupSteps) / Math.max(1, totalSteps - warmupSteps);
  switch (kind) {
    case "constant":
      return 1;
    case "linear":
      return Math.max(0, (totalSteps - step) / Math.max(1, totalSteps - warmupSteps));
    case "cosine":
      return Math.max(0, 0.5 * (1 + Math.cos(Math.PI * progress)));
  }
}

/**
 * The steps of the optimizer in a run, for a schedule.
 *
 * @param batches of one epoch, each a step's or, with accumulation, a part of one
 */
export function totalSteps(
  {
    batches,
    epochs = 1,
    accumulation = 1,
  }: { batches: number; epochs?: number | undefined; accumulation?: number | undefined },
  { scheduleIgnoresAccumulation = false }: Pick<Published, "scheduleIgnoresAccumulation"> = {},
): number {
  // An epoch's last step takes what is left.
  return epochs * (scheduleIgnoresAccumulation ? batches : Math.ceil(batches / accumulation));
}
