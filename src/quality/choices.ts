/** The ways to keep a model's weights that a report compares. */

import type { FormatOf } from "../graph/index.js";
import { formatsOf, halvesOf, type IsHalf, type Kept, type WeightFormat } from "../weights/weightFormats.js";

export interface Choice {
  readonly name: string;
  readonly weights: WeightFormat;
  readonly block: number;
  /** Whether products with 4 bits are those of activations as they are; otherwise these are rounded to 8 bits. */
  readonly exact: boolean;
  /** Whether scales are searched by the importance of columns. */
  readonly calibrated: boolean;
}

const choice = (weights: WeightFormat, block = 128, { exact = false, calibrated = false } = {}): Choice => {
  const words = [weights, weights === "int4" && `b${block}`, exact && "exact", calibrated && "calibrated"];
  return { name: words.filter((word) => word).join(" "), weights, block, exact, calibrated };
};

/** The most exact first; what is calibrated after what it is calibrated with. */
export const choices: readonly Choice[] = [
  choice("fp32"),
  choice("fp16"),
  choice("int8"),
  ...[128, 32].flatMap((block) => [
    choice("int4", block),
    choice("int4", block, { exact: true }),
    choice("int4", block, { calibrated: true }),
  ]),
];

/** Those that can be compared. @param canCalibrate whether there is something to calibrate with */
export const choicesFor = (canCalibrate: boolean): readonly Choice[] =>
  choices.filter(({ calibrated }) => canCalibrate || !calibrated);

/** What a choice means for programs and weights. */
export const formatsOfChoice = (
  { weights, block, exact }: Choice,
  keep: Kept,
): { readonly formatOf: FormatOf | undefined; readonly isHalf: IsHalf } => ({
  formatOf: formatsOf(weights, { block, exact, keep }),
  isHalf: halvesOf({ weights, keep }),
});
