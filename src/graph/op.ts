/**
 * How an operator is defined: one entry holds all that is known of it, and the entry is called like a function.
 *
 *     export const tanh: Operator<["x"]> = defineOp({
 *       name: "tanh",
 *       inputs: ["x"],
 *       shape: ({ x }) => x,
 *       grad: ({ y, dy }) => ({ x: mul(dy, sub(1, mul(y, y))) }),
 *       onnx: ({ x }, _, y) => onnxNode("Tanh", [x], {}, y),
 *     });
 *     const y = tanh(x);
 *
 * An operator without `decomposition` is primitive: every lowering must know it. One with a decomposition may also have
 * a lowering of its own where a backend has a kernel, and a gradient of its own where that is cheaper than the
 * decomposition's.
 */
import { constant } from "./constant.js";
import {
  type Attributes,
  addNode,
  type Graph,
  type Lowering,
  type Op,
  shapeError,
  type Tensor,
  type TensorType,
} from "./tensor.js";

/** A tensor, or a number that stands for a scalar of the type of the first input that is not bool (or float32). */
export type Operand = Tensor | number;

type Name<I extends string> = I extends `${infer N}?` ? N : I;

/** Inputs by name; one declared as `"bias?"` may be undefined. */
type Named<I extends readonly string[]> = {
  readonly [K in I[number] as Name<K>]: K extends `${string}?` ? Tensor | undefined : Tensor;
};

/** The gradients of some inputs; those left out get none. */
type Gradients<I extends readonly string[]> = { readonly [K in I[number] as Name<K>]?: Tensor };

type Arguments<I extends readonly string[]> = {
  [K in keyof I]: I[K] extends `${string}?` ? Tensor | undefined : Operand;
};

/** What all entries share; `Y` is one result or several. */
interface OpEntry<I extends readonly string[], A, Type, Y> {
  readonly name: string;
  /** Names in the order of the arguments; a question mark at the end: may be undefined. */
  readonly inputs: I;
  readonly shape: (inputs: Named<I>, attributes: A) => Type;
  /** Gradients of the inputs from inputs, results `y` and their gradients `dy`; shapes may still be broadcast ones. */
  readonly grad?:
    | ((known: Named<I> & { readonly y: Y; readonly dy: Y }, attributes: A) => Gradients<I>)
    | "none";
  readonly onnx?: (inputs: Named<I>, attributes: A, y: Type, graph: Graph) => Y;
  readonly decomposition?: (inputs: Named<I>, attributes: A, y: Type, graph: Graph) => Y;
  /** Results that may be the memory of an input: result → name of the input. */
  readonly aliases?: Op["aliases"];
}

/** A defined operator: a function of its inputs, then of its attributes if it has any. */
type Apply<I extends readonly string[], A, Y> = ((
  ...args: [...Arguments<I>, ...(unknown extends A ? [] : [A])]
) => Y) & { readonly op: Op };

export type Operator<I extends readonly string[], A = unknown> = Apply<I, A, Tensor>;
/** `Y`: as a tuple where their number is fixed. */
export type OperatorOfMany<
  I extends readonly string[],
  A = unknown,
  Y extends readonly Tensor[] = readonly Tensor[],
> = Apply<I, A, Y>;

/** An operator with one result. */
export function defineOp<const I extends readonly string[], A>(
  entry: OpEntry<I, A, TensorType, Tensor>,
): Operator<I, A> {
  // From here on the types of the entry are erased: `Op` is what graph, grad and lowerings see.
  const { shape, grad, onnx, decomposition } = entry as unknown as OpEntry<
    [],
    Attributes,
    TensorType,
    Tensor
  >;
  const oneOf = (lowering: typeof onnx): Lowering | undefined =>
    lowering && ((inputs, attributes, types, graph) => [lowering(inputs, attributes, types[0]!, graph)]);
  return asFunction(
    {
      ...common(entry as Common),
      shape: (inputs, attributes) => [shape(inputs, attributes)],
      grad:
        typeof grad === "function"
          ? (inputs, attributes, y, dy) => grad({ ...inputs, y: y[0]!, dy: dy[0]! }, attributes)
          : grad,
      onnx: oneOf(onnx),
      decomposition: oneOf(decomposition),
    },
    (results) => results[0]!,
  ) as Operator<I, A>;
}

/** An operator with several results, such as the parts of a split. */
export function defineOpOfMany<
  const I extends readonly string[],
  A,
  Y extends readonly Tensor[] = readonly Tensor[],
>(entry: OpEntry<I, A, readonly TensorType[], readonly Tensor[]>): OperatorOfMany<I, A, Y> {
  type Erased = OpEntry<[], Attributes, readonly TensorType[], readonly Tensor[]>;
  const { shape, grad, onnx, decomposition } = entry as unknown as Erased;
  return asFunction(
    {
      ...common(entry as Common),
      shape,
      grad:
        typeof grad === "function"
          ? (inputs, attributes, y, dy) => grad({ ...inputs, y, dy }, attributes)
          : grad,
      onnx,
      decomposition,
    },
    (results) => results as Y,
  ) as OperatorOfMany<I, A, Y>;
}

type Common = Pick<Op, "name" | "inputs"> & {
  readonly aliases?: Op["aliases"];
};

const common = ({ name, inputs, aliases = {} }: Common) => ({
  name,
  inputs: inputs.map((each) => each.replace(/\?$/, "")),
  aliases,
});

/** Calling an operator writes a node into the graph of its inputs. */
function asFunction<Y>(op: Op, resultOf: (results: readonly Tensor[]) => Y) {
  const apply = (...args: readonly unknown[]): Y => {
    const given = args.slice(0, op.inputs.length) as readonly (Operand | undefined)[];
    const attributes = (args[op.inputs.length] ?? {}) as Attributes;
    const tensorsGiven = given.filter((each): each is Tensor => typeof each === "object");
    const graph = tensorsGiven[0]?.node.graph;
    if (!graph) throw shapeError(op.name, "no input is a tensor");
    const dtype = tensorsGiven.find((each) => each.dtype !== "bool")?.dtype ?? "float32";
    const tensors = given.map((each) => (typeof each === "number" ? constant(graph, each, { dtype }) : each));
    return resultOf(addNode(graph, op, tensors, attributes));
  };
  return Object.assign(apply, { op });
}
