/**
 * How sure a share of right answers is: Wilson's score interval.
 *
 * E. B. Wilson, "Probable Inference, the Law of Succession, and Statistical Inference" (1927). Unlike the normal
 * approximation it stays within 0 and 1, and has a width also where all answers are right.
 */

/** Of the normal distribution: 95% lie within as many deviations of the mean. */
const deviations = 1.959963984540054;

export interface Share {
  readonly right: number;
  readonly queries: number;
  /** From 0 to 1; NaN without queries. */
  readonly share: number;
  /** Ends of the interval that holds the true share with a probability of 95%. */
  readonly low: number;
  readonly high: number;
}

/** @param right a whole number from 0 to `queries` */
export function shareOf(right: number, queries: number): Share {
  if (queries === 0) return { right, queries, share: Number.NaN, low: 0, high: 1 };
  const share = right / queries;
  const square = deviations ** 2;
  const middle = (share + square / (2 * queries)) / (1 + square / queries);
  const half =
    (deviations / (1 + square / queries)) *
    Math.sqrt((share * (1 - share)) / queries + square / (4 * queries ** 2));
  // At the ends rounding would leave a trace.
  const low = right === 0 ? 0 : middle - half;
  const high = right === queries ? 1 : middle + half;
  return { right, queries, share, low, high };
}
