/** Formulas of plain numbers that more than one family of operators is compared with. */
import { array, at, broadcast, overRows, type Plain, permuted, sumOf } from "../arrays.js";

/** The error function by its series, 2/√π Σ (−1)ⁿ x²ⁿ⁺¹ / (n! (2n + 1)): exact to 1e-14 for |x| < 3. */
export function errorFunction(x: number): number {
  let sum = 0;
  let power = x; // (−1)ⁿ x²ⁿ⁺¹ / n!
  for (let n = 0; n < 60; n++) {
    sum += power / (2 * n + 1);
    power *= (-x * x) / (n + 1);
  }
  return (2 / Math.sqrt(Math.PI)) * sum;
}

/** e^x / Σ e^x of a row of moderate numbers. */
export function softmaxOf(row: readonly number[]): readonly number[] {
  const largest = Math.max(...row);
  const powers = row.map((x) => Math.exp(x - largest));
  return powers.map((power) => power / sumOf(powers));
}

/** Σ_j softmax_j(scale · q_i · k_j + bias_ij) v_j: queries (…, t, e), keys (…, s, e), values (…, s, f). */
export function attentionOf(queries: Plain, keys: Plain, values: Plain, bias: Plain, scale: number): Plain {
  const batch = broadcast(queries.shape.slice(0, -2), keys.shape.slice(0, -2));
  const [t, s] = [queries.shape.at(-2)!, keys.shape.at(-2)!];
  const [widths, slots] = [counted(queries.shape.at(-1)!), counted(s)];
  const scores = array([...batch, t, s], (...index) => {
    const [place, i, j] = [index.slice(0, -2), index.at(-2)!, index.at(-1)!];
    const products = widths.map((e) => at(queries, ...place, i, e) * at(keys, ...place, j, e));
    return scale * sumOf(products) + at(bias, ...index);
  });
  const shares = overRows(scores, softmaxOf);
  return array([...batch, t, values.shape.at(-1)!], (...index) => {
    const [place, i, f] = [index.slice(0, -2), index.at(-2)!, index.at(-1)!];
    return sumOf(slots.map((j) => at(shares, ...place, i, j) * at(values, ...place, j, f)));
  });
}

const counted = (n: number) => Array.from({ length: n }, (_, i) => i);

/** What goes into a call of cached attention, in plain numbers. */
export interface CachedCall {
  readonly queries: Plain; // (b, t, h, e)
  readonly keys: Plain;
  readonly values: Plain;
  readonly pastKeys: Plain; // (b, h, capacity, e)
  readonly pastValues: Plain;
  readonly start: Plain; // (b)
  readonly bias: Plain; // (b or 1, h or 1, t, total)
}

/** y (b, t, h, e), and the caches with the new keys and values in the slots from each row's start on. */
export function cachedAttentionOf(
  call: CachedCall,
  scale: number,
): readonly [y: Plain, keys: Plain, values: Plain] {
  const { queries, keys, values, pastKeys, pastValues, start, bias } = call;
  const [t, total] = [queries.shape[1]!, bias.shape[3]!];
  const write = (past: Plain, next: Plain) =>
    array(past.shape, (b, h, slot, e) => {
      const token = slot! - at(start, b!);
      return token >= 0 && token < t ? at(next, b!, token, h!, e!) : at(past, b!, h!, slot!, e!);
    });
  const [presentKeys, presentValues] = [write(pastKeys, keys), write(pastValues, values)];
  const headsFirst = (x: Plain) => permuted(x, [0, 2, 1, 3]);
  const used = (cache: Plain) => array(cache.shape.with(2, total), (...index) => at(cache, ...index));
  const [rows, heads] = [queries.shape[0]!, queries.shape[2]!];
  const causal = array([rows, heads, t, total], (b, h, i, slot) =>
    slot! <= at(start, b!) + i! ? at(bias, b!, h!, i!, slot!) : Number.NEGATIVE_INFINITY,
  );
  const y = attentionOf(headsFirst(queries), used(presentKeys), used(presentValues), causal, scale);
  return [headsFirst(y), presentKeys, presentValues];
}
