/** The endless text that the language model learns from, alone and before all connectors. */

import type { FlamingoTokenizer } from "../../../src/text/flamingoTokens.js";
import { endOfChunkToken } from "../../../src/text/flamingoTokens.js";
import { relations, type Thing } from "../world/scene.js";
import type { DocumentKind } from "./document.js";
import { documentAt } from "./documents.js";
import { drawsAt } from "./draws.js";
import type { Facts } from "./facts.js";
import { asText, endOfText } from "./forms.js";
import { withArticle } from "./names.js";
import { sentencesAt } from "./sentences.js";

/** How often a kind of document is drawn, in proportion. */
export type Mixture = Readonly<Record<DocumentKind | "photographs" | "sentences", number>>;

/** Half of the tokens are bindings: they take the longest to be learnt. */
export const textMixture: Mixture = {
  caption: 3,
  styles: 2,
  questions: 4,
  "text-text": 6,
  // Without images all bindings read alike.
  "image-query": 0,
  "text-query": 0,
  "image-image": 0,
  mixed: 0,
  photographs: 1,
  sentences: 0.4,
};

export interface Corpus {
  readonly things: readonly Thing[];
  /** What photographs show, by name. Default: there are none. */
  readonly photographKinds?: readonly string[] | undefined;
  /** A whole number from 0 to 2^53 − 1. */
  readonly seed: number;
  /** Facts 0, 1, 2, … in the place of scenes. Default: `factsAt`; those of scenes leave out what is held out. */
  readonly factsAt?: ((index: number) => Facts) | undefined;
  /** Default: `textMixture`. */
  readonly mixture?: Mixture | undefined;
}

/**
 * Facts of an image that is never drawn: one to four things of one to three kinds, about as scenes have them, but with no pair held out.
 *
 * @param things those that are named
 */
export function factsAt(things: readonly Thing[], seed: number, index: number): Facts {
  const draws = drawsAt(seed, "facts", index);
  const kinds = draws.weighted({ 1: 5, 2: 4, 3: 2 });
  const chosen = draws.some(things, Number(kinds));
  let left = 4 - chosen.length;
  const counted = chosen.map((thing) => {
    const more = draws.chance(0.4) ? draws.below(left + 1) : 0;
    left -= more;
    return { thing, count: 1 + more };
  });
  const canLie = counted.length === 2 && counted.every(({ count }) => count === 1);
  return { counted, ...(canLie && draws.chance(0.6) && { relation: draws.pick(relations) }) };
}

/** Chunks of the longest documents: more than a connector's, so that many examples in a prompt are nothing new. */
const longest = 20;

/** Names of what photographs show, one or several, as `caption` documents say it. */
function photographsAt(kinds: readonly string[], seed: number, index: number): string {
  const draws = drawsAt(seed, "names of photographs", index);
  const count = 1 + draws.below(draws.chance(0.2) ? longest : 4);
  const chunks = Array.from({ length: count }, () => {
    const said = withArticle(draws.pick(kinds));
    return `(${said})Output:${said}${endOfChunkToken}`;
  });
  return chunks.join("") + endOfText;
}

/** Fewer characters than this are followed by another document. */
const leastCharacters = 260;

/** Text 0, 1, 2, …: one document or some short ones, each with its `<|endoftext|>`; a pure function. */
export function textAt(corpus: Corpus, index: number): string {
  const { things, photographKinds = [], seed, mixture = textMixture } = corpus;
  const weights = photographKinds.length > 0 ? mixture : { ...mixture, photographs: 0 };
  const draws = drawsAt(seed, "text", index);
  const named = things.filter(({ isNamed }) => isNamed);
  const part = (kind: keyof Mixture, place: number): string => {
    if (kind === "sentences") return sentencesAt(named, seed, place) + endOfText;
    if (kind === "photographs") return photographsAt(photographKinds, seed, place);
    const document = documentAt({
      ...{ kind, things, seed, index: place, mostChunks: longest },
      sceneAt: (scene) => ({
        scene: undefined,
        facts: corpus.factsAt?.(scene) ?? factsAt(named, seed, scene),
      }),
    });
    return asText(document);
  };
  let text = "";
  for (let parts = 0; text.length < leastCharacters; parts++) {
    text += part(draws.weighted(weights), index * documentsPerText + parts);
  }
  return text;
}

/** More than a text of short documents has. */
const documentsPerText = 32;

/** More than a row has texts. */
const textsPerRow = 16;

export interface Rows {
  /** int32 (rows, length) */
  readonly ids: Int32Array;
  /** float32 (rows, length): 1 where a token is learnt, 0 where it fills. */
  readonly weights: Float32Array;
}

/**
 * Rows of tokens, `first` and those after it; each row begins with a document, and its last one is cut off. A pure
 * function: row 7 is the same whichever rows are asked for with it.
 *
 * @param tokenizer with `<|endofchunk|>`
 */
export function packRows(
  tokenizer: FlamingoTokenizer,
  corpus: Corpus,
  { first, rows, length }: { readonly first: number; readonly rows: number; readonly length: number },
): Rows {
  const ids = new Int32Array(rows * length).fill(tokenizer.special.padding);
  const weights = new Float32Array(rows * length);
  for (let row = 0; row < rows; row++) {
    let filled = 0;
    for (let i = 0; i < textsPerRow && filled < length; i++) {
      const text = textAt(corpus, (first + row) * textsPerRow + i);
      const some = tokenizer.encode(text, { maxLength: length - filled });
      ids.set(some, row * length + filled);
      filled += some.length;
    }
    weights.fill(1, row * length, row * length + filled);
  }
  return { ids, weights };
}
