/** Changes to `src/generate`. */
import type { Mutant } from "./mutant.js";

export const generate: readonly Mutant[] = [
  {
    what: "one new token more before a row may end",
    file: "generate/processors.ts",
    from: "step < minNewTokens",
    to: "step <= minNewTokens",
    tests: ["generate/processors.test.ts"],
  },
  {
    what: "the repetition penalty treats logits by the wrong sign",
    file: "generate/processors.ts",
    from: "logit < 0 ? logit * penalty",
    to: "logit > 0 ? logit * penalty",
    tests: ["generate/processors.test.ts"],
  },
  {
    what: "the last sequence of the text may be repeated",
    file: "generate/processors.ts",
    from: "start + size <= ids.length",
    to: "start + size < ids.length",
    tests: ["generate/processors.test.ts"],
  },
  {
    what: "a draw may end at a token that is impossible",
    file: "generate/sample.ts",
    from: "    if (p[token] === 0) continue;\n",
    to: "",
    tests: ["generate/sampling.test.ts"],
  },
  {
    what: "top-p leaves out a token at exactly the rest",
    file: "generate/warpers.ts",
    from: "below > 1 - mass",
    to: "below >= 1 - mass",
    tests: ["generate/sampling.test.ts"],
  },
  {
    what: "tokens of one chunk of answers stay in the tree for the next",
    file: "generate/rank.ts",
    from: "      tree.clear();\n",
    to: "",
    tests: ["generate/rank.test.ts"],
  },
  {
    what: "a row that has reached its greatest length gets one token more",
    file: "generate/rows.ts",
    from: "step + 1 === maxNewTokens ?",
    to: "step === maxNewTokens ?",
    tests: ["generate/sample.test.ts"],
  },
  {
    what: "an end token outside the best candidates finishes a sequence",
    file: "generate/beams.ts",
    from: "else if (rank < count) finished.add",
    to: "else finished.add",
    tests: ["generate/beamRules.test.ts", "generate/beams.test.ts"],
  },
];
