/**
 * Checks a run before any backend sees it, and lays out where every input and output is.
 *
 * A wrong feed is a mistake of our own code, never of a user: the error says all that is wrong at once, by name and
 * with both values. This stands in the way of every token, so words are only made when something is wrong.
 */
import { bug } from "../base/errors.js";
import { faultOf, type HostTensor, requireFixedMemory, zeros } from "./hostTensor.js";
import {
  type Dimension,
  type Feed,
  folderOfWeights,
  isInFile,
  type Port,
  type Program,
  type RunOptions,
  tensorOf,
} from "./runtime.js";

/** A run that fits its program. */
export interface Plan {
  /** One for each input of the program, in its order. */
  readonly inputs: readonly Feed[];
  /** The outputs to compute, in the program's order. */
  readonly outputs: ReadonlyMap<string, Feed>;
  /** The tensors behind the outputs: what a run returns. */
  readonly results: Record<string, HostTensor>;
}

/** Tensors by the names of inputs or outputs. */
type Feeds = Readonly<Record<string, Feed>>;

/** The value of every named size of a run. */
type Sizes = ReadonlyMap<string, number>;

/**
 * Checks feeds and outputs against the program, and allocates the outputs that were not given.
 *
 * @throws OpenFlamingoError "backend" with every fault; "memory" when an output does not fit; "usage" for feeds and
 *   outputs in memory that may be gone during the run
 */
export function planRun(program: Program, feeds: Feeds, { outputs: given = {}, want }: RunOptions): Plan {
  const faults: string[] = [];
  const sizes = checkFeeds(program, feeds, faults);
  reject(program, faults); // the sizes are only good when the feeds are

  const wanted = new Set([...(want ?? program.outputs.map(({ name }) => name)), ...Object.keys(given)]);
  const shapes = new Map<string, readonly number[]>();
  for (const port of program.outputs) {
    if (!wanted.delete(port.name)) continue;
    const shape = port.shape.map((size) => lengthOf(size, sizes));
    shapes.set(port.name, shape);
    const output = given[port.name];
    if (!shape.every(Number.isInteger)) faults.push(`output ${describe(port)} has a size that no input has`);
    else if (output !== undefined)
      checkTensor(program, "output", tensorOf(output), { ...port, shape }, faults);
  }
  const names = () => program.outputs.map(({ name }) => name).join(", ");
  for (const name of wanted) faults.push(`there is no output "${name}" (outputs: ${names()})`);
  checkMemory(program, feeds, given, faults);
  reject(program, faults);

  const outputs = new Map<string, Feed>();
  const results: Record<string, HostTensor> = {};
  for (const { name, dtype } of program.outputs) {
    const shape = shapes.get(name);
    if (shape === undefined) continue;
    const output = given[name] ?? zeros(dtype, shape);
    outputs.set(name, output);
    results[name] = tensorOf(output);
  }
  return { inputs: program.inputs.map(({ name }) => feeds[name]!), outputs, results };
}

/**
 * Checks once more, when the turn of a run has come, that the memory of its tensors is still there.
 *
 * @throws OpenFlamingoError "usage"
 */
export function requireMemory(program: Program, { inputs, outputs }: Plan): void {
  inputs.forEach((feed, i) => {
    requireFixedMemory(`${program.name}: input "${program.inputs[i]!.name}"`, tensorOf(feed).data);
  });
  for (const [name, output] of outputs) {
    requireFixedMemory(`${program.name}: output "${name}"`, tensorOf(output).data);
  }
}

/**
 * @throws OpenFlamingoError "backend" for weights whose data does not fit their dtype and shape; "usage" for those, and
 *   a model, in memory that may be gone while the program is in use
 */
export function checkProgram(program: Program): void {
  const faults: string[] = [];
  requireFixedMemory(`${program.name}: the model`, program.bytes);
  const folder = folderOfWeights(program);
  for (const [name, weight] of program.weights) {
    if (isInFile(weight) || folder !== undefined) {
      const isInFolder = isInFile(weight) && weight.folder === folder;
      if (!isInFolder) faults.push(`weight "${name}" is not in the folder of the others, ${folder}`);
      continue;
    }
    requireFixedMemory(`${program.name}: weight "${name}"`, weight.data);
    const fault = faultOf(weight);
    if (fault !== undefined) faults.push(`weight "${name}" ${fault}`);
  }
  reject(program, faults);
}

function reject(program: Program, faults: readonly string[]): void {
  if (faults.length > 0) throw bug("backend", `${program.name}: ${faults.join("; ")}`);
}

const describe = ({ name, dtype, shape }: Port): string => `"${name}" (${dtype} [${shape.join(", ")}])`;

const lengthOf = (size: Dimension, sizes: Sizes): number =>
  typeof size === "number" ? size : typeof size === "string" ? sizes.get(size)! : size.evaluate(sizes);

/** Compares feeds with inputs; returns the value of every named size. */
function checkFeeds(program: Program, feeds: Feeds, faults: string[]): Sizes {
  const { inputs } = program;
  const sizes = new Map<string, number>();
  const givenBy = new Map<string, string>(); // size → the first input that has it, for errors
  let found = 0;
  for (const port of inputs) {
    const feed = feeds[port.name];
    if (feed === undefined) {
      faults.push(`input ${describe(port)} is missing`);
      continue;
    }
    found++;
    const tensor = tensorOf(feed);
    if (!checkTensor(program, "input", tensor, port, faults)) continue;
    port.shape.forEach((size, axis) => {
      if (typeof size !== "string") return;
      const length = tensor.shape[axis]!;
      const before = sizes.get(size);
      if (before === undefined) {
        sizes.set(size, length);
        givenBy.set(size, port.name);
      } else if (before !== length) {
        faults.push(`size ${size} is ${before} in "${givenBy.get(size)}" but ${length} in "${port.name}"`);
      }
    });
  }
  if (found < Object.keys(feeds).length) {
    const names = inputs.map(({ name }) => name);
    const unknown = Object.keys(feeds).filter((name) => !names.includes(name));
    for (const name of unknown) faults.push(`there is no input "${name}" (inputs: ${names.join(", ")})`);
  }
  if (faults.length > 0) return sizes;

  for (const { name, shape } of inputs) {
    shape.forEach((size, axis) => {
      if (typeof size !== "object") return;
      const [is, should] = [tensorOf(feeds[name]!).shape[axis], size.evaluate(sizes)];
      if (is !== should) faults.push(`input "${name}" has ${is} on axis ${axis}, ${size} is ${should}`);
    });
  }
  return sizes;
}

/** Whether a tensor has a port's type, rank and fixed sizes and is sound in itself. */
function checkTensor(
  program: Program,
  what: "input" | "output",
  tensor: HostTensor,
  port: Port,
  faults: string[],
): boolean {
  requireFixedMemory(`${program.name}: ${what} "${port.name}"`, tensor.data);
  const fixed = (size: Dimension, axis: number) => typeof size !== "number" || size === tensor.shape[axis];
  const fits =
    tensor.dtype === port.dtype && tensor.shape.length === port.shape.length && port.shape.every(fixed);
  const fault = fits ? faultOf(tensor) : `is ${tensor.dtype} [${tensor.shape.join(", ")}]`;
  if (fault !== undefined) faults.push(`${what} ${describe(port)} ${fault}`);
  return fault === undefined;
}

/** Finds outputs that would be written over what the run still reads, or over each other. */
function checkMemory(program: Program, feeds: Feeds, outputs: Feeds, faults: string[]): void {
  type Use = { what: "input" | "output"; name: string; start: number; end: number };
  const uses = new Map<ArrayBufferLike, Use[]>();
  const enter = (what: Use["what"], name: string, { data }: HostTensor) => {
    const use = { what, name, start: data.byteOffset, end: data.byteOffset + data.byteLength };
    const others = uses.get(data.buffer);
    if (others === undefined) {
      uses.set(data.buffer, [use]);
      return;
    }
    for (const other of what === "output" ? others : []) {
      if (use.start >= other.end || other.start >= use.end) continue;
      const same = use.start === other.start && use.end === other.end;
      if (same && other.what === "input" && program.aliases?.get(name) === other.name) continue;
      faults.push(`output "${name}" lies in the memory of ${other.what} "${other.name}", not its alias`);
    }
    others.push(use);
  };
  for (const name in feeds) enter("input", name, tensorOf(feeds[name]!));
  for (const name in outputs) enter("output", name, tensorOf(outputs[name]!));
}
