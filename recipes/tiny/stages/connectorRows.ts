/** Texts with their images, as the linear connectors learn from them. */
import { IGNORED, labelsOf, type SampleKind } from "../../../src/data/labels.js";
import { NO_IMAGE } from "../../../src/models/crossAttention.js";
import { imageIndexOf } from "../../../src/runner/imageIndex.js";
import type { HostTensor } from "../../../src/runtime/hostTensor.js";
import { endOfChunkToken, type FlamingoTokenizer, imageToken } from "../../../src/text/flamingoTokens.js";
import { endOfText, withImageTokens } from "../words/forms.js";
import { documentWithImages } from "./shardDocuments.js";
import { pairWithImage } from "./shardPairs.js";
import type { Sources } from "./sources.js";
import type { Stage } from "./stage.js";

export interface Row {
  /** With `<image>` for each image. */
  readonly text: string;
  /** Which of its tokens are learnt: see `labelsOf`. */
  readonly kind: SampleKind;
  readonly images: readonly { readonly pixels: Uint8Array }[];
}

/** Of every so many steps one learns from documents, the others from images with one text. */
const stepsPerDocuments = 6;
/** What is said of images with one text: more names than in the shards. */
const pairMixture = { name: 8, caption: 3.5, questions: 2.5 };

/** What step 0, 1, 2, … learns from: other images than those of the shards. */
export function rowsAt(sources: Sources, { settings }: Stage, step: number): readonly Row[] {
  const { shards, connectors } = settings;
  const { pairs, documents } = connectors.linear;
  if (step % stepsPerDocuments === stepsPerDocuments - 1) {
    const first = shards.documents + step * documents;
    return Array.from({ length: documents }, (_, i): Row => {
      const { document, images } = documentWithImages(sources, first + i);
      const text = withImageTokens(document);
      return { text, kind: "documents", images: images.map((pixels) => ({ pixels })) };
    });
  }
  const first = shards.pairs + step * pairs;
  return Array.from({ length: pairs }, (_, i) => rowOfPair(pairWithImage(sources, first + i, pairMixture)));
}

/** @param text behind the image */
export const rowOfPair = ({ pixels, text }: { pixels: Uint8Array; text: string }): Row => ({
  text: imageToken + text + endOfChunkToken + endOfText,
  kind: "captions",
  images: [{ pixels }],
});

/**
 * ids, the tokens behind them, which of those are learnt, and which image each token sees: (b, t) each, filled up on the
 * right. Images are counted from 1 over all rows; 0 is none.
 */
export function textOfRows(rows: readonly Row[], tokenizer: FlamingoTokenizer) {
  const { special } = tokenizer;
  const encoded = rows.map(({ text }) => tokenizer.encode(text));
  const t = Math.max(...encoded.map(({ length }) => length)) - 1;
  const [ids, targets, imageOf] = [0, 1, 2].map(() => new Int32Array(rows.length * t)) as [
    Int32Array,
    Int32Array,
    Int32Array,
  ];
  ids.fill(special.padding);
  const weights = new Float32Array(rows.length * t);
  let before = 0;
  for (const [row, tokens] of encoded.entries()) {
    const { kind, images } = rows[row]!;
    const labels = labelsOf(tokens, kind, special);
    const index = imageIndexOf(tokens, special.image, images.length);
    for (let i = 0; i < tokens.length - 1; i++) {
      const at = row * t + i;
      ids[at] = tokens[i]!;
      imageOf[at] = index[i] === NO_IMAGE ? 0 : 1 + before + index[i]!;
      if (labels[i + 1] === IGNORED) continue;
      targets[at] = labels[i + 1]!;
      weights[at] = 1;
    }
    before += images.length;
  }
  const shape = [rows.length, t];
  return {
    ids: { dtype: "int32", shape, data: ids },
    targets: { dtype: "int32", shape, data: targets },
    weights: { dtype: "float32", shape, data: weights },
    image_of: { dtype: "int32", shape, data: imageOf },
  } satisfies Record<string, HostTensor>;
}
