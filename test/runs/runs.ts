/** Runs for tests: a small state that follows from its step. */
import { randomStream } from "../../src/base/random.js";
import type { FloatTensors, RunState, SavedCheckpoint, TrainedTensors } from "../../src/runs/runState.js";

const shapes: Readonly<Record<string, readonly number[]>> = {
  "perceiver.latents": [16, 32],
  "lang_encoder.transformer.blocks.1.gated_cross_attn_layer.attn_gate": [1],
  "lang_encoder.transformer.blocks.1.gated_cross_attn_layer.ff.1.weight": [32, 32],
};

const tensors = (of: (index: number, place: number) => number): FloatTensors =>
  new Map(
    Object.entries(shapes).map(([name, shape], index) => {
      const data = Float32Array.from({ length: shape.reduce((a, b) => a * b) }, (_, i) => of(index, i));
      return [name, { shape, data }];
    }),
  );

const noise = randomStream(3, "states of runs");

const made = new Map<number, RunState>();

/** All of a state that a step has, other than that of any other step. */
export function stateOf(step: number): RunState {
  const state = made.get(step) ?? makeState(step);
  made.set(step, state);
  return state;
}

const makeState = (step: number): RunState => ({
  step,
  parameters: tensors((index, i) => noise.normal(step, 3 * (10_000 * index + i))),
  expAvg: tensors((index, i) => noise.normal(step, 3 * (10_000 * index + i) + 1)),
  expAvgSq: tensors((index, i) => noise.uniform(step, 3 * (10_000 * index + i) + 2)),
  schedule: { step, warmup: 10 },
  random: { seed: 7, counter: 3 * step },
  data: { shard: step % 5, sample: step, waiting: [`k${step}`, 0.1 + step] },
});

/** Room for a state's tensors. */
export const emptyTensors = (): TrainedTensors => ({
  parameters: tensors(() => Number.NaN),
  expAvg: tensors(() => Number.NaN),
  expAvgSq: tensors(() => Number.NaN),
});

/** What a checkpoint holds, in the form of `stateOf`. */
export async function read(saved: SavedCheckpoint): Promise<RunState> {
  const into = emptyTensors();
  await saved.load(into);
  const { step, schedule, random, data } = saved;
  return { ...into, step, schedule, random, data };
}
