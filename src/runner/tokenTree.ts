/**
 * Several continuations of one prompt, as a tree of tokens in one sequence: beams, samples, or answers to be ranked.
 *
 * The prompt and all new tokens are one row of one cache, the tokens in the order in which they were added. A mask
 * shows each of them the prompt, its own ancestors and itself; its position is its depth. So nothing is copied when
 * branches end, fork or change places, and the memory is that of the prompt and of every new token once.
 */
import { MASK_VALUE } from "../graph/index.js";
import { zeros } from "../runtime/hostTensor.js";
import { type Call, type DecodeProgram, readPrompt, runDecode } from "./call.js";
import type { WrittenImages } from "./decoder.js";
import { createEncodedImages, type EncodedImages, type Prompt } from "./encodedImages.js";
import { countImageTokens, imageIndexAfter, imageIndexOf } from "./imageIndex.js";
import { createKvCache } from "./kvCache.js";
import { requireCapacity, requirePrompts, requireRoom } from "./promptChecks.js";

/** A token after another one. Nodes are numbered from 0 in the order in which they are added. */
export interface TreeNode {
  /** The number of the node before it, which may be one of the same call; −1 for the prompt's end. */
  readonly parent: number;
  readonly token: number;
}

export interface TreeOptions {
  /** How many nodes there may be at a time. */
  readonly nodes: number;
  /** How many tokens of them may follow each other. */
  readonly depth: number;
  /**
   * As for a decoder, the nodes of one call being its rows, which then may not follow each other; "add" when left out.
   */
  readonly writtenImages?: WrittenImages | undefined;
}

export interface TokenTree {
  /** Logits of the token after the prompt, (V). */
  prefill(options?: { signal?: AbortSignal | undefined }): Promise<Float32Array>;
  /** Adds nodes and gives, for each, the logits of the token after it, (V). */
  add(
    children: readonly TreeNode[],
    options?: { signal?: AbortSignal | undefined },
  ): Promise<readonly Float32Array[]>;
  /** Forgets all nodes: the next one is number 0 again, and the prompt is kept. */
  clear(): void;
  /** Gives the cache's handles back. */
  close(): void;
}

/** A node as those after it see it. */
interface Placed {
  readonly parent: number;
  /** Tokens after the prompt, itself included. */
  readonly depth: number;
  /** `<image>`s of the prompt and of its branch, itself included. */
  readonly images: number;
}

/** @throws OpenFlamingoError `prompt-too-long`, `image-count`, `memory`, `usage` for an empty prompt */
export async function createTokenTree({
  prompt: { ids, images },
  nodes: capacity,
  depth,
  writtenImages = "add",
  runtime,
  sessionOf,
  config,
  imageToken,
  pieceLength,
  cacheFormat,
  freeMemory,
}: DecodeProgram & TreeOptions & { readonly prompt: Prompt }): Promise<TokenTree> {
  const { language } = config;
  const V = language.vocabulary;
  requirePrompts([{ ids, images }], imageToken);
  requireCapacity(language, ids.length, depth);
  requireRoom({ config, cacheFormat, freeMemory }, 1, ids.length + capacity);

  const cache = createKvCache(runtime, language, 1, ids.length + capacity, cacheFormat);
  const encodedImages = createEncodedImages(runtime, config, [images]);
  const root: Placed = { parent: -1, depth: 0, images: countImageTokens(ids, imageToken) };
  let nodes: Placed[] = [];

  const run = (call: Call, signal: AbortSignal | undefined) =>
    runDecode({ sessionOf }, { ...encodedImages.feeds, ...cache.all.feeds }, cache.all.outputs, call, signal);

  function place(children: readonly TreeNode[]): void {
    const restarts = writtenImages === "restart" && children.some(({ token }) => token === imageToken);
    for (const { parent, token } of children) {
      const before = nodes[parent] ?? root;
      const images = (restarts ? 0 : before.images) + (token === imageToken ? 1 : 0);
      nodes.push({ parent, depth: before.depth + 1, images });
    }
  }

  return {
    async prefill({ signal } = {}) {
      const logits = zeros("float32", [1, V]);
      const imageIndices = imageIndexOf(ids, imageToken, encodedImages.perPrompt);
      const text = { ids, imageIndices, imageIds: encodedImages.imageIdsOf(0), start: 0 };
      const last = (from: number, to: number) => ({ wanted: Int32Array.of(to - from - 1), logits });
      await readPrompt((call) => run(call, signal), text, last, { pieceLength, signal });
      return logits.data;
    },

    async add(children, { signal } = {}) {
      const first = nodes.length;
      place(children);
      const logits = zeros("float32", [children.length, V]);
      const call = {
        ids: Int32Array.from(children, ({ token }) => token),
        ...seenBy(nodes.slice(first), encodedImages),
        start: Int32Array.of(ids.length + first),
        wanted: Int32Array.from(children.keys()),
        logits,
        position: positionsOf(nodes, ids.length),
        mask: maskOf(nodes, first, ids.length),
      };
      await run(call, signal);
      return children.map((_, i) => logits.data.subarray(i * V, (i + 1) * V));
    },

    clear() {
      nodes = [];
    },

    close() {
      cache.all.release();
      encodedImages.release();
    },
  };
}

/** Image ids and image indices for new nodes: where they all see the same image, that one alone. */
function seenBy(added: readonly Placed[], encodedImages: EncodedImages) {
  const imageIndex = Int32Array.from(added, ({ images }) => imageIndexAfter(images, encodedImages.perPrompt));
  if (imageIndex.some((each) => each !== imageIndex[0]))
    return { imageIds: encodedImages.imageIdsOf(0), imageIndex };
  const one = encodedImages.seenByNext([imageIndex[0]!]);
  return { imageIds: one.imageIds, imageIndex: imageIndex.fill(one.imageIndex[0]!) };
}

/** The positions of all tokens so far: of a node, that of its depth. */
const positionsOf = (nodes: readonly Placed[], promptLength: number): Float32Array =>
  Float32Array.from({ length: promptLength + nodes.length }, (_, cachePosition) =>
    cachePosition < promptLength
      ? cachePosition
      : promptLength - 1 + nodes[cachePosition - promptLength]!.depth,
  );

/** What each of the nodes from `first` on may see: the prompt, its ancestors, itself. (nodes, total) */
function maskOf(nodes: readonly Placed[], first: number, promptLength: number): Float32Array {
  const total = promptLength + nodes.length;
  const mask = new Float32Array((nodes.length - first) * total);
  for (let node = first; node < nodes.length; node++) {
    const row = mask.subarray((node - first) * total, (node - first + 1) * total);
    row.fill(MASK_VALUE, promptLength);
    for (let seen = node; seen >= 0; seen = nodes[seen]!.parent) row[promptLength + seen] = 0;
  }
  return mask;
}
