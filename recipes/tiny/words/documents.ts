/** Documents that language model and connectors learn from. */
import { bindingAt } from "./bindings.js";
import { caption, captionStyles } from "./captions.js";
import {
  type Chunk,
  type Document,
  type DocumentOptions,
  mostChunks,
  scenesPerDocument,
} from "./document.js";
import { type Draws, drawsAt } from "./draws.js";
import type { Facts } from "./facts.js";
import { kindsFor, questionOf } from "./questions.js";

/** A pure function of its options. */
export function documentAt<S>(options: DocumentOptions<S>): Document<S> {
  const { kind, seed, index, split = "train" } = options;
  const draws = drawsAt(seed, `${kind}/${split}`, index);
  switch (kind) {
    case "caption":
      return { kind, chunks: captions(options, 1, "plain", draws) };
    case "styles": {
      const chunks = 1 + (options.shots ?? shotsOf(options, 2, draws));
      return { kind, chunks: captions(options, chunks, draws.pick(captionStyles), draws) };
    }
    case "questions":
      return { kind, chunks: questions(options, 1 + (options.shots ?? shotsOf(options, 0, draws)), draws) };
    default:
      return bindingAt({ ...options, kind }, draws);
  }
}

/** Mostly a few; one of five documents has up to as many as it may. */
const shotsOf = (
  { mostChunks: most = mostChunks }: DocumentOptions<unknown>,
  least: number,
  draws: Draws,
): number => least + draws.below(draws.chance(0.2) ? most - least : 4);

function captions<S>(
  { index, sceneAt }: DocumentOptions<S>,
  count: number,
  style: (typeof captionStyles)[number],
  draws: Draws,
): Chunk<S>[] {
  // Now and then nothing is in the place of the images: the language model learns what captions are like.
  const isAlone = draws.chance(0.15);
  return Array.from({ length: count }, (_, i) => {
    const { scene, facts } = sceneAt(index * scenesPerDocument + i);
    return {
      shown: { kind: "scene", scene },
      words: isAlone ? "" : inPlaceOf(facts, draws),
      prompt: "Output:",
      answer: caption(facts, style),
    };
  });
}

function questions<S>(
  { index, sceneAt, things }: DocumentOptions<S>,
  count: number,
  draws: Draws,
): Chunk<S>[] {
  const named = things.filter(({ isNamed }) => isNamed);
  return Array.from({ length: count }, (_, i) => {
    const { scene, facts } = sceneAt(index * scenesPerDocument + i);
    const { question, answer } = questionOf(draws.pick(kindsFor(facts)), facts, named, draws);
    return {
      shown: { kind: "scene", scene },
      words: inPlaceOf(facts, draws),
      prompt: `Question:${question} Short answer:`,
      answer,
    };
  });
}

/** What an image shows, for a language model that sees none; the closing bracket is where `<image>` would be. */
const inPlaceOf = (facts: Facts, draws: Draws): string => {
  const style = draws.weighted({ plain: 3, bullets: 2, other: 1 });
  return `(${caption(facts, style === "other" ? draws.pick(captionStyles) : style)})`;
};
