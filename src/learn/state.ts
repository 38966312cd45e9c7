/** The state of a training run, and how it begins. */
import { elementCount } from "../base/dtypes.js";
import { OpenFlamingoError } from "../base/errors.js";
import { allocate } from "../weights/weightMemory.js";
import { type TrainedTensors, viewOf } from "./trainedTensors.js";

/** All that steps go on from, bit for bit; with the data, all that a run is. */
export interface TrainingState {
  /** Where the trained tensors lie in each of the three arrays. */
  readonly trained: TrainedTensors;
  readonly parameters: Float32Array;
  /** Of AdamW: running means of gradients and of their squares. */
  readonly firstMoments: Float32Array;
  readonly secondMoments: Float32Array;
  /** Steps of the optimizer that were made. */
  step: number;
}

/** A state before the first step, all zeros. @throws OpenFlamingoError `memory` */
export const emptyState = (trained: TrainedTensors): TrainingState => ({
  trained,
  parameters: allocate("the trained parameters", trained.length),
  firstMoments: allocate("the first moments", trained.length),
  secondMoments: allocate("the second moments", trained.length),
  step: 0,
});

/** Takes a tensor's numbers, as the checkpoint has them, into the parameters. */
export function takeParameters(state: TrainingState, name: string, values: Float32Array): void {
  for (const each of state.trained.tensors) {
    if (each.name !== name) continue;
    const view = viewOf(state.parameters, each);
    if (!each.rows) view.set(values.subarray(0, elementCount(each.shape)));
    else {
      const width = each.shape[1]!;
      each.rows.forEach((row, i) => {
        view.set(values.subarray(row * width, (row + 1) * width), i * width);
      });
    }
  }
}

/**
 * Rejects a state that is another model's.
 *
 * @throws OpenFlamingoError `checkpoint-mismatch`
 */
export function requireFitting(state: TrainingState, trained: TrainedTensors): void {
  const [given, wanted] = [state.trained, trained].map(({ tensors }) =>
    tensors.map(
      ({ name, shape, rows }) => `${name} (${shape.join(", ")})${rows ? ` rows ${rows.join()}` : ""}`,
    ),
  ) as [string[], string[]];
  const other = wanted.findIndex((each, i) => each !== given[i]);
  const arrays = [state.parameters, state.firstMoments, state.secondMoments];
  if (other < 0 && given.length === wanted.length && arrays.every(({ length }) => length === trained.length))
    return;
  const what =
    other < 0
      ? "more or other numbers than the model"
      : `${given[other] ?? "nothing"} where ${wanted[other]} is trained`;
  throw new OpenFlamingoError("checkpoint-mismatch", `the training state holds ${what}`, {
    hint: "Go on with the model, the checkpoint and the options with which the run was begun.",
  });
}
