/** Learning rates beside those of the reference implementation's schedules. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { rateAt, type Schedule, scheduleKinds, totalSteps } from "../../src/learn/schedule.js";
import { golden, goldenTest } from "../goldens.js";
import { compared } from "../parity.js";
import { tinyModelsWith } from "../tinyModel.js";
import { trainingOf } from "./goldenTraining.js";

/** Compares the rates from step 0 on with those given, 1e-12 relative. */
function compareRates(schedule: Schedule, base: number, rates: readonly number[]): void {
  const off = rates.map((rate, step) => {
    const ours = base * rateAt(step, schedule, { zeroFirstLearningRate: true });
    return Math.abs(ours - rate) / Math.max(rate, 1e-12 * base);
  });
  const largest = Math.max(...off);
  const of = { largest, bound: 1e-12, unit: "relative" } as const;
  compared(`training/learning rates/${schedule.kind}`, { cases: 1, values: rates.length, ...of });
  expect(largest).toBeLessThan(1e-12);
}

interface Table {
  readonly kind: Schedule["kind"];
  readonly base: number;
  readonly warmup_steps: number;
  readonly total_steps: number;
  readonly lr_used_at_step: readonly number[];
}

goldenTest("data/lr_schedules.json", "rates of all tables are the reference implementation's", () => {
  const { tables } = JSON.parse(readFileSync(golden("data/lr_schedules.json"), "utf8")) as {
    readonly tables: readonly Table[];
  };
  for (const { kind, base, warmup_steps: warmupSteps, total_steps: totalSteps, lr_used_at_step } of tables) {
    compareRates({ kind, warmupSteps, totalSteps }, base, lr_used_at_step);
  }
});

test.each(tinyModelsWith("training/training.json", "schedules"))(
  "rates of $name, beyond the end",
  (model) => {
    for (const kind of scheduleKinds) {
      const given = trainingOf(model).schedules[kind]!;
      const schedule = { kind, warmupSteps: given.warmup_steps, totalSteps: given.total_steps };
      compareRates(schedule, given.learning_rate, given.lr_of_steps_0_to_21);
    }
  },
);

describe("unless it is asked for", () => {
  test("no step of a warm-up has a rate of 0, and the whole rate comes when it comes in the reference", () => {
    const schedule = { kind: "constant", warmupSteps: 3, totalSteps: 10 } as const;
    expect([0, 1, 2, 3].map((step) => rateAt(step, schedule))).toEqual([1 / 4, 2 / 4, 3 / 4, 1]);
    expect(rateAt(0, { kind: "linear", totalSteps: 4 })).toBe(1);
  });

  test("a schedule counts steps of the optimizer, of which an epoch's last takes what is left", () => {
    const run = { batches: 10, epochs: 3, accumulation: 4 };
    expect(totalSteps(run)).toBe(9);
    expect(totalSteps(run, { scheduleIgnoresAccumulation: true })).toBe(30);
    expect(totalSteps({ batches: 7 })).toBe(7);
  });
});
