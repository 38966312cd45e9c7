/**
 * Axes by name, after the notation of einops: `rearrange(x, "b t (h e) -> b h t e", { h: 8 })` splits the last axis
 * into 8 heads and moves the heads forward.
 */
import { reshape, transpose } from "./ops/layout.js";
import { type Dim, over, product, sameDim, showShape } from "./size.js";
import { shapeError, type Tensor } from "./tensor.js";

/** `"b () (h e)"` → [["b"], [], ["h", "e"]] */
function axesOf(pattern: string): readonly (readonly string[])[] {
  const groups = pattern.match(/\([^()]*\)|[^\s()]+/g) ?? [];
  return groups.map((group) => group.match(/[^\s()]+/g) ?? []);
}

/** The sizes of the axes that a pattern names; one axis of a group may be left for what remains. */
function measure(x: Tensor, groups: readonly (readonly string[])[], given: Readonly<Record<string, Dim>>) {
  const sizes = new Map<string, Dim>(Object.entries(given));
  if (groups.length !== x.shape.length) {
    throw shapeError(
      "rearrange",
      `${showShape(x.shape)} does not have the ${groups.length} axes of the pattern`,
    );
  }
  groups.forEach((names, axis) => {
    const dim = x.shape[axis]!;
    const open = names.filter((name) => !sizes.has(name));
    const rest = over(dim, product(names.flatMap((name) => sizes.get(name) ?? [])));
    if (open.length > 1 || rest === undefined || (open.length === 0 && !sameDim(rest, 1))) {
      throw shapeError("rearrange", `axis ${axis} of ${showShape(x.shape)} is not (${names.join(" ")})`);
    }
    if (open.length === 1) sizes.set(open[0]!, rest);
  });
  return sizes;
}

/**
 * Splits, reorders and joins axes.
 *
 * @param pattern axes before and after an arrow; parentheses join axes into one, empty ones are an axis of size 1
 * @param given sizes that the shape does not give, such as the number of heads
 * @throws OpenFlamingoError `shape` when the pattern does not fit the tensor
 */
export function rearrange(x: Tensor, pattern: string, given: Readonly<Record<string, Dim>> = {}): Tensor {
  const [before, after] = pattern.split("->").map(axesOf);
  if (!before || !after) throw shapeError("rearrange", `"${pattern}" has no arrow`);
  const sizes = measure(x, before, given);
  const from = before.flat();
  const to = after.flat();
  if ([...from].sort().join() !== [...to].sort().join()) {
    throw shapeError("rearrange", `"${pattern}" does not have the same axes on both sides`);
  }
  const sizesOf = (names: readonly string[]) => names.map((name) => sizes.get(name)!);
  const apart = before.some((names) => names.length !== 1) ? reshape(x, { shape: sizesOf(from) }) : x;
  const order = to.map((name) => from.indexOf(name));
  const moved = order.every((axis, i) => axis === i) ? apart : transpose(apart, { order });
  const joined = after.some((names) => names.length !== 1);
  return joined ? reshape(moved, { shape: after.map((names) => product(sizesOf(names))) }) : moved;
}

/** The sizes of x's axes by name: `const { b, d } = sizes(x, "b t d")`. */
export function sizes<Pattern extends string>(
  x: Tensor,
  pattern: Pattern,
): Readonly<Record<Names<Pattern>, Dim>> {
  const measured = measure(x, axesOf(pattern), {});
  return Object.fromEntries(measured) as Record<Names<Pattern>, Dim>;
}

type Names<Pattern extends string> = Pattern extends `${infer First} ${infer Rest}`
  ? First | Names<Rest>
  : Pattern;
