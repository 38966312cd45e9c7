/** Golden values of a part of a model: goldens/README.md, `modules/`. */
import { readFileSync } from "node:fs";
import { expect } from "vitest";
import { openCheckpoint } from "../../src/checkpoints/openCheckpoint.node.js";
import { atHand, golden, hasGolden } from "../goldens.js";
import { difference, type Plain } from "../graph/arrays.js";
import { compared } from "../parity.js";

type Named = Readonly<Record<string, Plain>>;

const index = "modules/modules.json";
const fileOf = (file: string) => `modules/${file}`;

/** A module of the index: its name, its file, and its settings by the reference implementation's names. */
export interface Module<Config> {
  readonly name: string;
  readonly file: string;
  readonly config: Config;
}

const read = (): Readonly<Record<string, Omit<Module<object>, "name">>> =>
  JSON.parse(readFileSync(golden(index), "utf8"));

/** The modules whose names begin so; if there are none, or not their files, a test says what is skipped. */
export function modulesOf<Config extends object>(beginning: string): readonly Module<Config>[] {
  const all = hasGolden(index) ? Object.entries(read()) : [];
  const found = all
    .filter(([name]) => name.startsWith(beginning))
    .map(([name, module]) => ({ ...module, name }) as Module<Config>);
  if (found.length === 0) atHand([beginning], () => [fileOf(`${beginning}*`)], "modules of this kind");
  return atHand(found, ({ file }) => [fileOf(file)], "its module");
}

/** A file of golden values: weights by their names in the module, inputs and outputs. */
export async function moduleFile(file: string): Promise<{ weights: Named; inputs: Named; outputs: Named }> {
  const parts = { weights: {}, input: {}, output: {} } as Record<string, Record<string, Plain>>;
  await using opened = await openCheckpoint(golden(fileOf(file)));
  for (const [tensor, { shape }] of opened.tensors) {
    const data = new Float32Array(shape.reduce((a, b) => a * b, 1));
    await opened.read(tensor, data);
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
