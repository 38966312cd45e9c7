/**
 * Several continuations of one prompt, as a tree of tokens in one sequence: beams, or answers to be ranked.
 *
 * The prompt and all new tokens are one row of one cache, the tokens in the order in which they were added. A mask
 * shows each of them the prompt, its own ancestors and itself; its position is its depth. So nothing is copied when
 * branches end, fork or change places, and the memory is that of the prompt and of every new token once.
 */
import { bug } from "../base/errors.js";
import { MASK_VALUE } from "../graph/index.js";
import type { FlamingoConfig } from "../models/flamingo.js";
import { zeros } from "../runtime/hostTensor.js";
import type { Runtime, Session } from "../runtime/runtime.js";
import { type Call, readPrompt, runDecode } from "./call.js";
import { checkPrompts, requireCapacity } from "./decoder.js";
import { createEncodedImages, type Prompt } from "./encodedImages.js";
import { imageIndexAfter, imageIndexOf } from "./imageIndex.js";
import { createKvCache } from "./kvCache.js";

/** A token after another one. Nodes are numbered from 0 in the order in which they are added. */
export interface TreeNode {
  /** The number of the node before it, which may be one of the same call; −1 for the prompt's end. */
  readonly parent: number;
  readonly token: number;
}

export interface TreeCapacity {
  /** How many nodes there may be at a time. */
  readonly nodes: number;
  /** How many tokens of them may follow each other. */
  readonly depth: number;
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

interface Node {
  readonly parent: number;
  /** Tokens after the prompt, itself included. */
  readonly depth: number;
  /** `<image>`s of the prompt and of its branch, itself included. */
  readonly images: number;
}

/** @throws OpenFlamingoError `prompt-too-long`, `image-count`, `usage` for an empty prompt */
export async function createTokenTree(
  runtime: Runtime,
  session: Session,
  config: FlamingoConfig,
  imageToken: number,
  prompt: Prompt,
  { nodes: capacity, depth }: TreeCapacity,
): Promise<TokenTree> {
  const { language } = config;
  const { ids } = prompt;
  checkPrompts([prompt], imageToken);
  requireCapacity(language, ids.length, depth);

  // A prompt alone has no neighbour with more images, so that no image of zeros is shown.
  const noOther = () => Promise.reject(bug("internal", "one prompt asks for zero images"));
  const encodedImages = await createEncodedImages(runtime, config, [prompt], noOther);
  const cache = createKvCache(runtime, language, 1, ids.length + capacity);
  const V = language.vocabulary;
  const imageIndices = imageIndexOf(ids, imageToken, encodedImages.perPrompt);
  const root: Node = { parent: -1, depth: 0, images: ids.filter((id) => id === imageToken).length };
  let nodes: Node[] = [];

  const run = (call: Call, signal: AbortSignal | undefined) =>
    runDecode(session, { ...encodedImages.feeds, ...cache.all.feeds }, cache.all.outputs, call, signal);

  /** Image ids and image indices for new nodes: where they all see the same image, that one alone. */
  function seenBy(added: readonly Node[]) {
    const imageIndex = Int32Array.from(added, ({ images }) =>
      imageIndexAfter(images, encodedImages.perPrompt),
    );
    if (imageIndex.some((each) => each !== imageIndex[0]))
      return { imageIds: encodedImages.imageIdsOf(0), imageIndex };
    const one = encodedImages.seenByNext([imageIndex[0]!]);
    return { imageIds: one.imageIds, imageIndex: imageIndex.fill(one.imageIndex[0]!) };
  }

  /** What each of the nodes from `first` on may see: the prompt, its ancestors, itself. */
  function maskFrom(first: number): Float32Array {
    const total = ids.length + nodes.length;
    const mask = new Float32Array((nodes.length - first) * total);
    for (let node = first; node < nodes.length; node++) {
      const row = mask.subarray((node - first) * total, (node - first + 1) * total);
      row.fill(MASK_VALUE, ids.length);
      for (let seen = node; seen >= 0; seen = nodes[seen]!.parent) row[ids.length + seen] = 0;
    }
    return mask;
  }

  return {
    async prefill({ signal } = {}) {
      const logits = zeros("float32", [1, V]);
      const read = { ids, imageIndices, imageIds: encodedImages.imageIdsOf(0), start: 0 };
      const last = (from: number, to: number) => ({ wanted: Int32Array.of(to - from - 1), logits });
      await readPrompt((call) => run(call, signal), read, last, signal);
      return logits.data;
    },

    async add(children, { signal } = {}) {
      const first = nodes.length;
      for (const { parent, token } of children) {
        const { depth, images } = nodes[parent] ?? root;
        nodes.push({ parent, depth: depth + 1, images: images + (token === imageToken ? 1 : 0) });
      }
      const position = Float32Array.from({ length: ids.length + nodes.length }, (_, cachePosition) =>
        cachePosition < ids.length
          ? cachePosition
          : ids.length - 1 + nodes[cachePosition - ids.length]!.depth,
      );
      const logits = zeros("float32", [children.length, V]);
      const call = {
        ids: Int32Array.from(children, ({ token }) => token),
        ...seenBy(nodes.slice(first)),
        start: Int32Array.of(ids.length + first),
        wanted: Int32Array.from(children.keys()),
        logits,
        position,
        mask: maskFrom(first),
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
