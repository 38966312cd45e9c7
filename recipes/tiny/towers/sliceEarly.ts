/**
 * Parts instead of wholes: where of a result only a slice is looked at, as of a tower's tokens the class token alone,
 * what comes before works on that slice only, as far up as every number of it comes from the same place of the inputs.
 * Of a tower's last block the feed-forward layer, the norms and the queries are then those of one token, and so are
 * their gradients: a fifth of all work with 4 blocks.
 */
import {
  add,
  attention,
  type Dim,
  type Graph,
  gelu,
  layerNorm,
  linear,
  minus,
  moveNode,
  mul,
  type Node,
  quickGelu,
  reshape,
  rewrite,
  type Shape,
  showDim,
  slice,
  sub,
  type Tensor,
  transpose,
} from "../../../src/graph/index.js";

/** A slice of an axis, which is counted from 0. */
interface Part {
  readonly axis: number;
  readonly start: Dim;
  readonly end: Dim;
}
type Wanted = Part | "whole";

/** The same outputs, from as little as they need. */
export function sliceEarly(graph: Graph): Graph {
  const wanted = wantedOf(graph);
  const partOf = (tensor: Tensor): Part | undefined => {
    const want = wanted.get(tensor);
    return want === "whole" ? undefined : want;
  };
  return rewrite(graph, (node, inputs, next) => {
    const [source] = node.inputs;
    if (node.op === slice.op && source && partOf(source)) return [inputs[0]!]; // it is that slice
    const part = partOf(node.results[0]!);
    const ofInputs = part && node.results.length === 1 ? inputParts(node, part) : undefined;
    if (!part || !ofInputs) {
      return moveNode(node, inputs, next).map((whole, i) => {
        const own = partOf(node.results[i]!);
        return own ? slice(whole, own) : whole;
      });
    }
    const parts = node.inputs.map((input, i) => {
      const want = ofInputs[i];
      if (!input || !want || want === "whole" || partOf(input)) return inputs[i];
      return slice(inputs[i]!, want);
    });
    if (node.op !== reshape.op) return moveNode(node, parts, next);
    return [reshape(parts[0]!, { shape: cut(node.results[0]!.shape, part) })];
  });
}

/** What is looked at of each tensor that the outputs depend on. */
function wantedOf({ nodes, outputs }: Graph): ReadonlyMap<Tensor, Wanted> {
  const wanted = new Map<Tensor, Wanted>();
  const want = (tensor: Tensor, what: Wanted) => {
    const known = wanted.get(tensor);
    wanted.set(tensor, known === undefined || isSame(known, what) ? what : "whole");
  };
  for (const tensor of outputs.values()) want(tensor, "whole");
  for (const node of [...nodes].reverse()) {
    const own = node.results.flatMap((result) => wanted.get(result) ?? []);
    if (own.length === 0) continue;
    const parts = ofInputs(node, own);
    node.inputs.forEach((input, i) => {
      if (input) want(input, parts?.[i] ?? "whole");
    });
  }
  return wanted;
}

function ofInputs(node: Node, own: readonly Wanted[]): readonly (Wanted | undefined)[] | undefined {
  const [first] = own;
  if (node.results.length > 1 || first === undefined) return undefined;
  if (first !== "whole") return inputParts(node, first);
  return node.op === slice.op ? [partTaken(node)] : undefined;
}

function partTaken({ attributes, inputs: [x] }: Node): Part {
  const { axis, start, end } = attributes as unknown as Part;
  return { axis: axis < 0 ? axis + x!.shape.length : axis, start, end };
}

const isSame = (a: Wanted, b: Wanted): boolean =>
  a === "whole" || b === "whole"
    ? a === b
    : a.axis === b.axis && showDim(a.start) === showDim(b.start) && showDim(a.end) === showDim(b.end);

/** Which parts of its inputs a part of a node's result comes from; undefined: from all of them. */
function inputParts(
  { op, inputs, attributes, results }: Node,
  part: Part,
): readonly (Wanted | undefined)[] | undefined {
  const y = results[0]!;
  const rank = y.shape.length;
  const [x] = inputs;
  /** The same axis of an input that is broadcast to the result. */
  const broadcast = (input: Tensor | undefined): Wanted | undefined => {
    if (!input) return undefined;
    const axis = part.axis - rank + input.shape.length;
    return axis < 0 || input.shape[axis] === 1 ? "whole" : { ...part, axis };
  };
  switch (op) {
    case add.op:
    case sub.op:
    case mul.op:
      return y.shape[part.axis] === 1 ? undefined : inputs.map(broadcast);
    case gelu.op:
    case quickGelu.op:
      return [part];
    case layerNorm.op:
    case linear.op:
      return part.axis === rank - 1 ? undefined : [part, "whole", "whole"];
    case transpose.op:
      return [{ ...part, axis: (attributes.order as readonly number[])[part.axis]! }];
    case reshape.op: {
      const isInPlace = y.shape
        .slice(0, part.axis + 1)
        .every((dim, axis) => x!.shape[axis] !== undefined && showDim(x!.shape[axis]) === showDim(dim));
      return isInPlace ? [part] : undefined;
    }
    case attention.op:
      return part.axis === rank - 2 ? [part, "whole", "whole", broadcast(inputs[3])] : undefined;
    default:
      return undefined;
  }
}

const cut = (shape: Shape, { axis, start, end }: Part): Shape => shape.with(axis, minus(end, start));
