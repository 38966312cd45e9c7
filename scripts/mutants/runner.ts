/** Changes to `src/runner`. */
import type { Mutant } from "./mutant.js";

export const runner: readonly Mutant[] = [
  {
    what: "the last image of a prompt counts as one too many",
    file: "runner/imageIndex.ts",
    from: "imageTokens > images ? ALL_IMAGES",
    to: "imageTokens >= images ? ALL_IMAGES",
    tests: ["runner/decoder.test.ts"],
  },
  {
    what: "pieces of a prompt are all read at its beginning",
    file: "runner/call.ts",
    from: "start: Int32Array.of(start + from)",
    to: "start: Int32Array.of(start)",
    tests: ["runner/decoder.test.ts"],
  },
  {
    what: "a node's position is one too far",
    file: "runner/tokenTree.ts",
    from: "promptLength - 1 + nodes[",
    to: "promptLength + nodes[",
    tests: ["runner/tokenTree.test.ts"],
  },
  {
    what: "a node sees all nodes before it, not its ancestors alone",
    file: "runner/tokenTree.ts",
    from: "seen = nodes[seen]!.parent) row",
    to: "seen--) row",
    tests: ["runner/tokenTree.test.ts"],
  },
  {
    what: "every row of a batch is read into the first row's cache",
    file: "runner/kvCache.ts",
    from: "data.subarray(from * row, (from + count) * row)",
    to: "data.subarray(0, count * row)",
    tests: ["runner/decoder.test.ts"],
  },
  {
    what: "new tokens of all rows see the first row's images",
    file: "runner/encodedImages.ts",
    from: "imageIds[row]![Math.max(imageIndex, 0)]!",
    to: "imageIds[0]![Math.max(imageIndex, 0)]!",
    tests: ["runner/decoder.test.ts"],
  },
  {
    what: "weights that are not finite are accepted",
    file: "runner/weights.ts",
    from: "    if (!finite) requireFinite(checkpoint, name, values);\n",
    to: "",
    tests: ["runner/weights.test.ts"],
  },
  {
    what: "a text of just as many tokens as positions is rejected",
    file: "runner/promptChecks.ts",
    from: "tokens + capacity <= contextLength",
    to: "tokens + capacity < contextLength",
    tests: ["runner/tokenTree.test.ts"],
  },
  {
    what: "a row's view of the cache is not released",
    file: "runner/decoder.ts",
    from: "if (bound !== cache.all) bound.release();",
    to: "",
    tests: ["runner/decoder.test.ts"],
  },
  {
    what: "features whose loading failed are never loaded again",
    file: "runner/features.ts",
    from: "      made = undefined;\n",
    to: "",
    tests: ["runner/features.test.ts"],
  },
];
