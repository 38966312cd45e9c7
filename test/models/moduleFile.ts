/** Golden values of a part of a model: goldens/README.md, `modules/`. */
import { expect } from "vitest";
import { openCheckpoint } from "../../src/checkpoints/openCheckpoint.node.js";
import { golden } from "../goldens.js";
import { difference, type Plain } from "../graph/arrays.js";
import { compared } from "../parity.js";

type Named = Readonly<Record<string, Plain>>;

/** A file of golden values: weights by their names in the module, inputs and outputs. */
export async function moduleFile(name: string): Promise<{ weights: Named; inputs: Named; outputs: Named }> {
  const parts = { weights: {}, input: {}, output: {} } as Record<string, Record<string, Plain>>;
  await using file = await openCheckpoint(golden(`modules/${name}.safetensors`));
  for (const [tensor, { shape }] of file.tensors) {
    const data = new Float32Array(shape.reduce((a, b) => a * b, 1));
    await file.read(tensor, data);
    const [part, ...rest] = tensor.split(".");
    parts[part!]![rest.join(".")] = { shape, data: Array.from(data) };
  }
  return { weights: parts.weights!, inputs: parts.input!, outputs: parts.output! };
}

/** Asks that the largest difference of a module's output be below 2e-6, relative to values above 1, and notes it. */
export function compare(module: string, what: string, found: Plain, expected: Plain): void {
  const largest = difference(found, expected);
  const of = { largest, bound: 2e-6, unit: "relative", backend: "ort.ffi" } as const;
  compared(`modules/${module}`, { cases: 1, values: expected.data.length, ...of });
  expect(largest, `${module} ${what}`).toBeLessThan(of.bound);
}
