/** Tasks that are asked without examples and with some before the query: the same queries, so that shots alone differ. */
import { endOfChunkToken, imageToken } from "../../../src/text/flamingoTokens.js";

/** An image with the text that is wanted for it. */
export interface Demonstration {
  /** A PNG file. */
  readonly image: Uint8Array;
  readonly text: string;
}

/** How many examples such tasks are asked with, besides none. */
export const shotCounts = [2, 4, 8, 16] as const;

/** The task's name with so many examples: "scenes", "shots-scenes-2". */
export const nameWith = (name: string, shots: number): string =>
  shots === 0 ? name : `shots-${name}-${shots}`;

/** @param query the text behind the query's image */
export const promptWith = (demonstrations: readonly Demonstration[], query: string): string =>
  `${demonstrations.map(({ text }) => imageToken + text + endOfChunkToken).join("")}${imageToken}${query}`;

/** Example 0, 1, … of a query. */
export const demonstrationsOf = (
  shots: number,
  make: (position: number) => Promise<Demonstration>,
): Promise<readonly Demonstration[]> =>
  Promise.all(Array.from({ length: shots }, (_, position) => make(position)));

/** More than a query has examples. */
export const mostShots = 32;
