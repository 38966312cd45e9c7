/**
 * Sizes of axes: a number, or a polynomial of named sizes such as `past + text` or `heads·16`.
 *
 * A model is written once for every number of prompts and tokens; the names get their values when it runs. Two sizes
 * are equal when their polynomials are, so that shape rules can check models that have no numbers yet.
 */
import { bug } from "../base/errors.js";

/** coefficient · factor · factor …; the factors are sorted names, none for a plain number. */
interface Term {
  readonly coefficient: number;
  readonly factors: readonly string[];
}

/** A sum of terms with at least one name in it; what has none is a plain number. */
export interface Size {
  readonly terms: readonly Term[];
}

export type Dim = number | Size;
export type Shape = readonly Dim[];

/** The size called `name`: letters, digits and underscores. */
export const namedSize = (name: string): Size => ({ terms: [{ coefficient: 1, factors: [name] }] });

const termsOf = (dim: Dim): readonly Term[] =>
  typeof dim === "number" ? [{ coefficient: dim, factors: [] }] : dim.terms;

/** Adds up terms with equal factors, drops zeros, and puts them in one order: equal sizes then look the same. */
function collect(terms: readonly Term[]): Dim {
  const sums = new Map<string, Term>();
  for (const { coefficient, factors } of terms) {
    const key = factors.join("·");
    sums.set(key, { coefficient: coefficient + (sums.get(key)?.coefficient ?? 0), factors });
  }
  const kept = [...sums.entries()].filter(([, term]) => term.coefficient !== 0);
  // Names first, the plain number last, as one writes it: past + 1.
  kept.sort(([a], [b]) => (a === "" ? 1 : b === "" ? -1 : a < b ? -1 : 1));
  const sorted = kept.map(([, term]) => term);
  if (sorted.length === 0) return 0;
  if (sorted.length === 1 && sorted[0]!.factors.length === 0) return sorted[0]!.coefficient;
  return { terms: sorted };
}

// Most sizes of a model are numbers, and most of the time that it takes to write its graph would go into their terms.
export const plus = (a: Dim, b: Dim): Dim =>
  typeof a === "number" && typeof b === "number" ? a + b : collect([...termsOf(a), ...termsOf(b)]);

export const minus = (a: Dim, b: Dim): Dim => plus(a, times(b, -1));

export const times = (a: Dim, b: Dim): Dim => {
  if (typeof a === "number" && typeof b === "number") return a * b;
  if (a === 1 || b === 1) return a === 1 ? b : a;
  return collect(
    termsOf(a).flatMap((x) =>
      termsOf(b).map((y) => ({
        coefficient: x.coefficient * y.coefficient,
        factors: [...x.factors, ...y.factors].sort(),
      })),
    ),
  );
};

export const product = (dims: Shape): Dim => dims.reduce(times, 1);

/** a / b where it comes out even for every value of the names: b is one term that divides each term of a. */
export function over(a: Dim, b: Dim): Dim | undefined {
  if (b === 1) return a;
  const [divisor, ...more] = termsOf(b);
  if (divisor === undefined || more.length > 0 || divisor.coefficient === 0) return undefined;
  const quotients: Term[] = [];
  for (const { coefficient, factors } of termsOf(a)) {
    const left = [...factors];
    for (const factor of divisor.factors) {
      const at = left.indexOf(factor);
      if (at < 0) return undefined;
      left.splice(at, 1);
    }
    if (coefficient % divisor.coefficient !== 0) return undefined;
    quotients.push({ coefficient: coefficient / divisor.coefficient, factors: left });
  }
  return collect(quotients);
}

export const sameDim = (a: Dim, b: Dim): boolean =>
  a === b || (typeof a === "object" && typeof b === "object" && showDim(a) === showDim(b));

export const sameShape = (a: Shape, b: Shape): boolean =>
  a.length === b.length && a.every((dim, i) => sameDim(dim, b[i]!));

/**
 * The sign of a size for all values of its names, which are at least 1; "unknown" where it depends on them, or is not
 * found out.
 */
export function signOf(dim: Dim): "negative" | "not negative" | "unknown" {
  if (typeof dim === "number") return dim < 0 ? "negative" : "not negative";
  if (dim.terms.every(({ coefficient }) => coefficient >= 0)) return "not negative";
  // With 1 + rest for each name, no rest below 0: coefficients of one sign are then the sign of the whole.
  const shifted = dim.terms
    .map(({ coefficient, factors }) =>
      factors.reduce((a: Dim, name) => times(a, plus(namedSize(name), 1)), coefficient),
    )
    .reduce(plus, 0);
  const terms = termsOf(shifted);
  if (terms.every(({ coefficient }) => coefficient >= 0)) return "not negative";
  const [least = 0] = terms.flatMap(({ coefficient, factors }) => (factors.length === 0 ? coefficient : []));
  return least < 0 && terms.every(({ coefficient }) => coefficient <= 0) ? "negative" : "unknown";
}

/** The value of a size, given those of the names. @throws OpenFlamingoError `shape` for a name without a value */
export function evaluateDim(dim: Dim, values: ReadonlyMap<string, number>): number {
  let sum = 0;
  for (const { coefficient, factors } of termsOf(dim)) {
    let term = coefficient;
    for (const name of factors) {
      const value = values.get(name);
      if (value === undefined) throw bug("shape", `the size ${name} has no value`);
      term *= value;
    }
    sum += term;
  }
  return sum;
}

export function showDim(dim: Dim): string {
  if (typeof dim === "number") return String(dim);
  const known = shownSizes.get(dim) ?? showSize(dim);
  shownSizes.set(dim, known);
  return known;
}

/** Sizes are compared as they are shown, over and over. */
const shownSizes = new WeakMap<Size, string>();

function showSize({ terms }: Size): string {
  const shown = terms.map(({ coefficient, factors }) => {
    const magnitude = Math.abs(coefficient);
    const parts = magnitude === 1 && factors.length > 0 ? factors : [String(magnitude), ...factors];
    return (coefficient < 0 ? "- " : "+ ") + parts.join("·");
  });
  return shown.join(" ").replace(/^\+ /, "").replace(/^- /, "-");
}

/** `(b, t, 64)` */
export const showShape = (shape: Shape): string => `(${shape.map(showDim).join(", ")})`;
