/** What the model runner asks of prompts, before it reads any. */
import { shownSize } from "../base/bytes.js";
import { OpenFlamingoError } from "../base/errors.js";
import type { LanguageModel } from "../models/language.js";
import type { DecodeProgram } from "./call.js";
import type { Prompt } from "./encodedImages.js";
import { cacheBytes } from "./kvCache.js";

/** @throws OpenFlamingoError `usage` for an empty prompt, `image-count` for an `<image>` without any image */
export function requirePrompts(prompts: readonly Prompt[], imageToken: number): void {
  for (const { ids } of prompts) {
    if (ids.length === 0)
      throw new OpenFlamingoError("usage", "the prompt is empty", { hint: "Give it some text." });
  }
  requireImages(prompts, prompts, imageToken);
}

/** @throws OpenFlamingoError `image-count` for an `<image>` in a row without any image */
export function requireImages(
  texts: readonly Pick<Prompt, "ids">[],
  prompts: readonly Prompt[],
  imageToken: number,
): void {
  texts.forEach(({ ids }, row) => {
    if (prompts[row]!.images.length > 0 || !ids.includes(imageToken)) return;
    throw new OpenFlamingoError("image-count", "the prompt has an <image> and no image", {
      hint: "Give one image for each <image>, in their order.",
    });
  });
}

/** @throws OpenFlamingoError `prompt-too-long` when the model has not so many positions */
export function requireCapacity({ contextLength }: LanguageModel, tokens: number, capacity: number): void {
  if (tokens + capacity <= contextLength) return;
  throw new OpenFlamingoError(
    "prompt-too-long",
    `the prompt has ${tokens} tokens and ${capacity} more may be generated: the model has ${contextLength} positions`,
    { hint: "Shorten the prompt, use fewer shots, or ask for fewer new tokens." },
  );
}

/**
 * Asked before the cache is made: the system would give the memory, and end the process when it is written to.
 *
 * @param positions of each row's cache
 * @throws OpenFlamingoError `memory` when there is no room for all that the call might generate
 */
export function requireRoom(
  {
    config: { language },
    cacheFormat,
    freeMemory,
  }: Pick<DecodeProgram, "config" | "cacheFormat" | "freeMemory">,
  rows: number,
  positions: number,
): void {
  const needed = cacheBytes(language, rows, positions, cacheFormat);
  const free = freeMemory?.() ?? Number.POSITIVE_INFINITY;
  if (needed <= free) return;
  const what = rows === 1 ? `${positions} tokens` : `${rows} rows of ${positions} tokens`;
  throw new OpenFlamingoError(
    "memory",
    `keys and values of ${what} need ${shownSize(needed)}, ${shownSize(free)} are free`,
    {
      hint: `Ask for fewer new tokens, beams or answers at a time, ${
        cacheFormat === "int8"
          ? "or shorten the prompt"
          : "shorten the prompt, or open the model with cache int8"
      }.`,
      data: { needed, free, options: ["cache"] },
    },
  );
}
