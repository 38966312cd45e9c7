/**
 * The pictures of a batch of prompts: each once, however many prompts, shots or beams look at it.
 */
import { seesAll, seesNone } from "../models/crossAttention.js";
import { type FlamingoConfig, gatedBlocks } from "../models/flamingo.js";
import { zeros } from "../runtime/hostTensor.js";
import type { BoundTensor, Runtime } from "../runtime/runtime.js";
import { numbered } from "./graphs.js";

/** A picture's keys and values for each gated block, (h, n, e) each: all that a language model needs of it. */
export interface EncodedPicture {
  readonly media: readonly { readonly keys: Float32Array; readonly values: Float32Array }[];
}

export interface Prompt {
  readonly ids: readonly number[];
  /** In the order of their `<image>`s. More than there are places: never looked at. */
  readonly pictures: readonly EncodedPicture[];
}

/** The pictures of a batch, each once, and which of them each prompt looks at. */
export interface Pool {
  readonly feeds: Readonly<Record<string, BoundTensor>>;
  /** Pictures that each prompt may look at: as many as the prompt that has most. */
  readonly perPrompt: number;
  slotsOf(row: number): Int32Array;
  /** Slots and places for one more token of each row, given the places of their last ones. */
  sightOfLast(places: readonly number[]): { slots: Int32Array; place: Int32Array };
  release(): void;
}

/**
 * @param zeroPicture the encoding of a picture of zeros: what the original shows a prompt in whose batch another one has
 *   more pictures, if it comes to ask for more than its own
 */
export async function createPool(
  runtime: Runtime,
  config: FlamingoConfig,
  prompts: readonly Prompt[],
  zeroPicture: () => Promise<EncodedPicture>,
): Promise<Pool> {
  const perPrompt = Math.max(...prompts.map(({ pictures }) => pictures.length));
  const unequal = prompts.some(({ pictures }) => pictures.length < perPrompt);
  const filler = unequal ? await zeroPicture() : undefined;
  const all = [...new Set([...prompts.flatMap(({ pictures }) => pictures), ...(filler ? [filler] : [])])];
  const numberOf = new Map(all.map((picture, i) => [picture, i]));
  const width = Math.max(perPrompt, 1);
  // Places beyond a prompt's own pictures show the zero picture, or are never looked at.
  const slots = prompts.map(({ pictures }) =>
    Int32Array.from({ length: width }, (_, i) => numberOf.get(pictures[i] ?? filler!) ?? 0),
  );

  const { heads, headWidth } = config.crossAttention;
  const each = heads * config.perceiver.latents * headWidth;
  const shape = [Math.max(all.length, 1), heads, config.perceiver.latents, headWidth];
  const feeds: Record<string, BoundTensor> = {};
  gatedBlocks(config).forEach((_, block) => {
    for (const kind of ["keys", "values"] as const) {
      const tensor = zeros("float32", shape);
      all.forEach(({ media }, i) => {
        tensor.data.set(media[block]![kind], i * each);
      });
      feeds[numbered(kind, block)] = runtime.bind(tensor);
    }
  });

  return {
    feeds,
    perPrompt,
    slotsOf: (row) => slots[row]!,
    sightOfLast(places) {
      // A new token sees its row's last picture only, so one slot is enough; seeing all needs all.
      if (places.includes(seesAll)) {
        return { slots: Int32Array.from(slots.flatMap((of) => [...of])), place: Int32Array.from(places) };
      }
      return {
        slots: Int32Array.from(places, (place, row) => slots[row]![Math.max(place, 0)]!),
        place: Int32Array.from(places, (place) => (place === seesNone ? seesNone : 0)),
      };
    },
    release() {
      for (const bound of Object.values(feeds)) bound.release();
    },
  };
}
