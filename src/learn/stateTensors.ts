/**
 * A step's state as a run keeps it: tensors by the checkpoint's names. Of an embedding a few rows are trained, and all of
 * it is kept, as the model's file holds it whole.
 */
import { elementCount } from "../base/dtypes.js";
import type { FloatTensor, TrainedTensors } from "../runs/runState.js";
import type { TrainingState } from "./state.js";
import { type TrainedTensor, viewOf } from "./trainedTensors.js";

/** Numbers of the model's own embedding, of which rows are trained or nothing is, by its name: float32, whole. */
export type WholeTensors = ReadonlyMap<string, FloatTensor>;

const arrays = { parameters: "parameters", expAvg: "firstMoments", expAvgSq: "secondMoments" } as const;

/** The state's tensors; where all of a tensor is trained, in the memory of the state. */
export const tensorsOf = (state: TrainingState, whole: WholeTensors): TrainedTensors =>
  eachArray((array) => {
    return new Map(
      state.trained.tensors.map((tensor) => {
        const data = viewOf(state[arrays[array]], tensor);
        if (!tensor.rows) return [tensor.name, { shape: tensor.shape, data }];
        const { shape, data: numbers } = whole.get(tensor.name)!;
        const all = array === "parameters" ? numbers.slice() : new Float32Array(elementCount(shape));
        copyRows(tensor, (row, i, width) => all.set(data.subarray(i, i + width), row));
        return [tensor.name, { shape, data: all }];
      }),
    );
  });

/** Tensors that belong to the model's file and are not trained. */
export const frozenOf = ({ trained }: TrainingState, whole: WholeTensors): WholeTensors =>
  new Map([...whole].filter(([name]) => !trained.tensors.some((each) => each.name === name)));

/** Takes tensors that a run kept into the state. */
export function takeTensors(state: TrainingState, tensors: TrainedTensors): void {
  for (const array of Object.keys(arrays) as (keyof typeof arrays)[]) {
    for (const tensor of state.trained.tensors) {
      const view = viewOf(state[arrays[array]], tensor);
      const { data } = tensors[array].get(tensor.name)!;
      if (!tensor.rows) view.set(data);
      else copyRows(tensor, (row, i, width) => view.set(data.subarray(row, row + width), i));
    }
  }
}

/** Calls with each row's place in the whole tensor, that among the trained ones, and the numbers of a row. */
function copyRows(
  { rows, shape }: TrainedTensor,
  copy: (from: number, to: number, width: number) => void,
): void {
  const width = shape[1]!;
  rows!.forEach((row, i) => {
    copy(row * width, i * width, width);
  });
}

const eachArray = (
  make: (array: keyof typeof arrays) => ReadonlyMap<string, FloatTensor>,
): TrainedTensors => ({
  parameters: make("parameters"),
  expAvg: make("expAvg"),
  expAvgSq: make("expAvgSq"),
});
