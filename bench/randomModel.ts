/** Weights of random numbers for graphs of any size, always the same ones. */
import { elementCount } from "../src/base/dtypes.js";
import type { Compiled } from "../src/onnx/compile.js";
import type { HostTensor } from "../src/runtime/hostTensor.js";
import type { Program } from "../src/runtime/runtime.js";

/** A program with small random weights; norms get scales near one, so that the numbers stay in range. */
export function withRandomWeights({ program, weights }: Compiled, scale = 0.02): Program {
  let state = 1;
  const random = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32 - 0.5;
  };
  const tensors = weights.map(({ name, shape }): [string, HostTensor] => {
    const data = new Float32Array(elementCount(shape));
    const offset = shape.length === 1 && name.endsWith("weight") ? 1 : 0;
    for (let i = 0; i < data.length; i++) data[i] = offset + 2 * scale * random();
    return [name, { dtype: "float32", shape, data }];
  });
  return { ...program, weights: new Map(tensors) };
}
