/**
 * The compatible API's `forward`: logits of every token, with images that are given or cached, and after what was read
 * before.
 *
 * Reference: open_flamingo/src/flamingo.py, `Flamingo.forward`, and flamingo_lm.py, `FlamingoLMMixin.forward`.
 */

import { anything, boolean, optional } from "../../base/fields.js";
import type { FlamingoConfig } from "../../models/flamingo.js";
import type { EncodedImage, Prompt } from "../../runner/encodedImages.js";
import { countImageTokens } from "../../runner/imageIndex.js";
import type { ModelRunner } from "../../runner/modelRunner.js";
import { readOptions, signal } from "../readOptions.js";
import {
  errorsComeLater,
  type Ids,
  type Mask,
  type PlainRows,
  plainRows,
  type TextRow,
  textRows,
  usage,
  type VisionX,
} from "./inputs.js";
import { lossOf, requireLabels } from "./loss.js";
import { firstPast, furtherPast, type Past, type PastKeyValues, requireWhole } from "./pastKeyValues.js";
import type { TensorData } from "./tensorData.js";

export interface ForwardArguments {
  /** The images of each row, (B, T_img, 1, 3, S, S). Left out, or null, with cached media only. */
  readonly visionX?: VisionX | null | undefined;
  /** Ids of each row, (B, T). */
  readonly langX: Ids;
  /** (B, T): 1 for an id of the text, 0 for padding; also with `pastKeyValues` of `langX` alone. Default: no padding. */
  readonly attentionMask?: Mask | undefined;
  /** (B, T): ids, or −100 where nothing is to be learned. Default: no loss. */
  readonly labels?: Ids | undefined;
  /** Whether cached media are forgotten afterwards. Default: true. */
  readonly clearConditionedLayers?: boolean | undefined;
  /** What `langX` follows: of a call with `useCache` and the media that are cached now. Default: nothing. */
  readonly pastKeyValues?: PastKeyValues | null | undefined;
  /** Whether to give `pastKeyValues`. Default: false. */
  readonly useCache?: boolean | undefined;
  /** Stops the work; the promise is then rejected with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

export interface ForwardResult {
  /** (B, T, V); zeros where the mask is 0. */
  readonly logits: TensorData;
  /** The mean of −log p over the labels, each predicted by what is before it; only with labels. */
  readonly loss?: number;
  readonly pastKeyValues?: PastKeyValues;
}

/** Images that `cacheMedia` has encoded. */
export interface Media {
  readonly images: readonly (readonly EncodedImage[])[];
  /** The `<image>`s of each row in the last text that had some. */
  imageTokens: readonly number[];
}

/** What a model keeps between calls. */
export interface Conditioning {
  /** "forgotten": `forward` has cleared what was cached, and `uncacheMedia` was not called since. */
  media: Media | "forgotten" | undefined;
}

export interface ForwardParts {
  readonly config: FlamingoConfig;
  readonly imageToken: number;
  readonly conditioning: Conditioning;
  /** @throws OpenFlamingoError `checkpoint-missing` before weights are loaded */
  runner(): ModelRunner;
  encode(visionX: TensorData, rows: number, signal: AbortSignal | undefined): Promise<Media["images"]>;
}

/** `forward`, and a function that gives back what the results' `pastKeyValues` hold. */
export function createForward({ config, imageToken, conditioning, runner, encode }: ForwardParts) {
  const { vocabulary, contextLength } = config.language;
  const pasts = new WeakMap<PastKeyValues, { readonly past: Past; readonly media: Media | undefined }>();
  const open = new Set<Past>(); // the first of each memory
  const keep = (past: Past, media: Media | undefined): PastKeyValues => {
    pasts.set(past, { past, media });
    return past;
  };

  async function forward(args: ForwardArguments): Promise<ForwardResult> {
    errorsComeLater(args?.visionX); // before anything can be wrong with the other arguments
    const { clearConditionedLayers, useCache, signal } = readOptions("forward", forwardReaders, args);
    const langX = plainRows("langX", args.langX);
    const mask = args.attentionMask && plainRows("attentionMask", args.attentionMask);
    const labels = args.labels && plainRows("labels", args.labels);
    const rows = textRows(langX, mask, { vocabulary, padding: "either" });
    if (labels) requireLabels(labels, rows, { length: langX[0]!.length, vocabulary });
    const model = runner();
    if (!args.pastKeyValues) model.requireCapacity(Math.max(...rows.map(({ ids }) => ids.length)), 0);
    const shown = await show(await args.visionX, langX, signal);
    const call: Call = { langX, rows, shown, useCache, signal };
    const { logits: ofRows, pastKeyValues } = args.pastKeyValues
      ? await readFurther(model, args.pastKeyValues, call)
      : await read(model, call);
    if (conditioning.media && clearConditionedLayers) conditioning.media = "forgotten";

    const length = langX[0]!.length;
    const data = new Float32Array(rows.length * length * vocabulary);
    rows.forEach(({ start }, row) => {
      data.set(ofRows[row]!, (row * length + start) * vocabulary);
    });
    const logits = { shape: [rows.length, length, vocabulary], data };
    return {
      logits,
      ...(labels && { loss: lossOf(logits, labels) }),
      ...(pastKeyValues && { pastKeyValues }),
    };
  }

  /** The images that a text sees: given ones, or those that are cached. */
  async function show(
    visionX: TensorData | null | undefined,
    langX: PlainRows,
    signal: AbortSignal | undefined,
  ): Promise<Shown> {
    const { media } = conditioning;
    const none = langX.map(() => 0);
    if (media === undefined) {
      if (visionX) {
        const images = await encode(visionX, langX.length, signal);
        return { images, before: none, media: undefined };
      }
      throw usage(
        "forward has no visionX, and no media are cached",
        "Give visionX, or call cacheMedia() first.",
      );
    }
    if (visionX) {
      throw usage(
        "forward has a visionX, and media are cached",
        "Leave it out, or call uncacheMedia() first.",
      );
    }
    if (media === "forgotten") {
      throw usage(
        "the last forward has forgotten the cached media",
        "Call cacheMedia() again, and forward with clearConditionedLayers: false.",
      );
    }
    if (media.images.length !== langX.length) {
      throw usage(
        `langX has ${langX.length} rows, the cached media ${media.images.length}`,
        "Give as many rows as cacheMedia() was given.",
      );
    }
    // A text with an <image> in any row counts its own; another one comes after those that were counted last.
    const imageTokens = langX.map((ids) => countImageTokens(ids, imageToken));
    if (imageTokens.every((count) => count === 0))
      return { images: media.images, before: media.imageTokens, media };
    media.imageTokens = imageTokens;
    return { images: media.images, before: none, media };
  }

  async function read(model: ModelRunner, { rows, shown, useCache, signal }: Call) {
    const { images, before, media } = shown;
    const prompts = rows.map(({ ids }, row): Prompt => ({ ids, images: images[row]! }));
    const lengths = rows.map(({ ids }) => ids.length);
    const capacity = useCache ? Math.max(0, contextLength - Math.max(...lengths)) : 0;
    const decoder = await model.decoder(prompts, { capacity });
    let kept: PastKeyValues | undefined;
    try {
      const logits = await decoder.logits({ texts: textsOf(rows, before), signal });
      if (useCache) {
        const past = firstPast(decoder, lengths, () => open.delete(past));
        open.add(past);
        kept = keep(past, media);
      }
      return { logits, pastKeyValues: kept };
    } finally {
      if (!kept) decoder.close();
    }
  }

  async function readFurther(
    model: ModelRunner,
    pastKeyValues: PastKeyValues,
    { langX, rows, shown, useCache, signal }: Call,
  ) {
    const { before, media } = shown;
    const known = pasts.get(pastKeyValues);
    if (!known || !media || known.media !== media) {
      throw usage(
        "pastKeyValues belong to other media than those that are cached now",
        "Call cacheMedia() before the first forward, and give what that returned.",
      );
    }
    const { past } = known;
    const length = langX[0]!.length;
    if (rows.some(({ ids }) => ids.length !== length)) {
      throw usage(
        "attentionMask has padding in a text that follows pastKeyValues",
        "Give texts of one length, or one row at a time.",
      );
    }
    requireWhole(past);
    model.requireCapacity(Math.max(...past.lengths), length);
    const texts = textsOf(rows, before);
    const logits = await past.memory.decoder.logits({ texts, from: past.lengths, signal });
    const further = keep(furtherPast(past, length), media);
    return { logits, pastKeyValues: useCache ? further : undefined };
  }

  function close(): void {
    for (const past of open) past.close();
  }

  return { forward, close };
}

const forwardReaders = {
  visionX: anything,
  langX: anything,
  attentionMask: anything,
  labels: anything,
  pastKeyValues: anything,
  clearConditionedLayers: optional(boolean, true),
  useCache: optional(boolean, false),
  signal,
};

/** A call's arguments, checked. */
interface Call {
  readonly langX: PlainRows;
  readonly rows: readonly TextRow[];
  readonly shown: Shown;
  readonly useCache: boolean;
  readonly signal: AbortSignal | undefined;
}

interface Shown {
  readonly images: Media["images"];
  /** How many `<image>`s each row has seen before it begins. */
  readonly before: readonly number[];
  /** The cached media, if it is these. */
  readonly media: Media | undefined;
}

const textsOf = (rows: readonly TextRow[], before: readonly number[]) =>
  rows.map(({ ids }, row) => ({ ids, imagesBefore: before[row] }));
