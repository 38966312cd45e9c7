/** Images with one text for the connectors. */
import type { Chunk } from "../words/document.js";
import { documentAt } from "../words/documents.js";
import { drawsAt } from "../words/draws.js";
import { factsOf } from "../words/facts.js";
import { withArticle } from "../words/names.js";
import type { Scene } from "../world/scene.js";
import { sceneAt } from "../world/scenes.js";
import { byAnyHand, sceneOptions, seen } from "./shardDocuments.js";
import type { Sources } from "./sources.js";

/** Of images with one text: those that are photographs, where there are any. */
const photographShare = 0.25;
/** And of the others: what is said of them. Names of single things are what all else is built on. */
export const pairMixture = { name: 4, caption: 3.5, questions: 2.5 };

export interface PairWithImage {
  /** Red, green, blue, row by row. */
  readonly pixels: Uint8Array;
  /** Behind the image: a caption, or a question and its answer. */
  readonly text: string;
}

/** Pair 0, 1, 2, …; a pure function. */
export function pairWithImage(
  sources: Sources,
  index: number,
  mixture: Readonly<Record<keyof typeof pairMixture, number>> = pairMixture,
): PairWithImage {
  const { photographs, seed } = sources;
  const draws = drawsAt(seed, "pairs", index);
  if (photographs.train.length > 0 && draws.chance(photographShare)) {
    const photograph = draws.pick(photographs.train);
    return { pixels: seen(sources, photograph, index), text: `Output:${withArticle(photograph.kind)}` };
  }
  const said = draws.weighted(mixture);
  const scene = sceneAt({ ...sceneOptions(sources), index, ...(said === "name" && { count: 1 }) });
  const document = documentAt<Scene>({
    ...{ kind: said === "name" ? "caption" : said, things: sources.things, seed, index, shots: 0 },
    sceneAt: () => ({ scene, facts: factsOf(scene) }),
  });
  const [{ prompt, answer }] = document.chunks as [Chunk<Scene>];
  return { pixels: byAnyHand(sources, scene, index), text: prompt + answer };
}
