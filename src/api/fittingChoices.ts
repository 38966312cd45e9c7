/** Which ways to keep a model's weights fit in memory, to be compared. */
import { shownSize } from "../base/bytes.js";
import { OpenFlamingoError } from "../base/errors.js";
import { forecastMemory, inFormat } from "../machine/forecast.js";
import { programWeights } from "../machine/requireMemory.js";
import type { FlamingoConfig } from "../models/flamingo.js";
import { type Choice, formatsOfChoice } from "../quality/choices.js";
import type { Kept } from "../weights/weightFormats.js";

/** A format that was left out because it does not fit. */
export interface TooLarge {
  readonly name: string;
  /** Bytes of memory. */
  readonly needed: number;
}

/**
 * @param choices the most exact first
 * @param free bytes of memory
 * @param name what messages call the model
 * @throws OpenFlamingoError `memory` where none fits
 */
export function fittingChoices(
  choices: readonly Choice[],
  free: number,
  name: string,
  config: FlamingoConfig,
  keep: Kept,
): { readonly fitting: readonly Choice[]; readonly tooLarge: readonly TooLarge[] } {
  const plain = programWeights(config, "fp32");
  const needs = choices.map((choice) => {
    const weights = inFormat(plain, formatsOfChoice(choice, keep).formatOf);
    return { choice, needed: forecastMemory(config, weights, { weightsIn: "memory" }).total };
  });
  const fitting = needs.flatMap(({ choice, needed }) => (needed <= free ? [choice] : []));
  const tooLarge = needs.flatMap(({ choice: { name }, needed }) =>
    needed <= free ? [] : [{ name, needed }],
  );
  if (fitting.length > 0) return { fitting, tooLarge };
  const least = Math.min(...needs.map(({ needed }) => needed));
  const what = `${name}: a report needs ${shownSize(least)} at least, ${shownSize(free)} are free`;
  throw new OpenFlamingoError("memory", what, {
    hint: "Close other programs, or take a larger machine.",
    data: { needed: least, free },
  });
}
