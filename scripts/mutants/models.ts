/** Changes to `src/models`. */
import type { Mutant } from "./mutant.js";

export const models: readonly Mutant[] = [
  {
    what: "ALiBi's slopes between come before the regular ones",
    file: "models/alibi.ts",
    from: "[...even, ...odd]",
    to: "[...odd, ...even]",
    tests: ["models/languageBlocks.test.ts"],
  },
  {
    what: "ALiBi's distances have the other sign",
    file: "models/alibi.ts",
    from: 'sub(rearrange(keys, "b total -> b () () total"), rearrange(queries, "b t -> b () t ()"))',
    to: 'sub(rearrange(queries, "b t -> b () t ()"), rearrange(keys, "b total -> b () () total"))',
    tests: ["models/positions.test.ts"],
  },
  {
    what: "a token that sees earlier images does not see its own",
    file: "models/crossAttention.ts",
    from: "less(image, add(own, 1))",
    to: "less(image, own)",
    tests: ["models/modules.test.ts"],
  },
  {
    what: "a token before the first image gets the attention's result",
    file: "models/crossAttention.ts",
    from: 'mul(rearrange(attended, "b h t e -> b t (h e)"), hasImage)',
    to: 'rearrange(attended, "b h t e -> b t (h e)")',
    tests: ["models/crossAttentionGradients.test.ts"],
  },
  {
    what: "GPT-NeoX's parallel feed-forward reads the attention's result",
    file: "models/gptNeox.ts",
    from: "y: add(add(x, y), mlp(x)), present }",
    to: "y: add(add(x, y), mlp(add(x, y))), present }",
    tests: ["models/languageBlocks.test.ts"],
  },
  {
    what: "patches column by column",
    file: "models/vit.ts",
    from: "-> N (y x) (c p q)",
    to: "-> N (x y) (c p q)",
    tests: ["models/clip.test.ts"],
  },
  {
    what: "rotary partners have the other sign",
    file: "models/rotary.ts",
    from: "concat([neg(second), first], { axis: -1 })",
    to: "concat([second, neg(first)], { axis: -1 })",
    tests: ["models/positions.test.ts"],
  },
  {
    what: "the loss takes token 0 for no label",
    file: "models/loss.ts",
    from: "less(next, 0)",
    to: "less(next, 1)",
    tests: ["models/gradients.test.ts"],
  },
  {
    what: "MPT's scale is that of the whole width",
    file: "models/mpt.ts",
    from: "(d / heads) ** -0.5",
    to: "d ** -0.5",
    tests: ["models/languageBlocks.test.ts"],
  },
  {
    what: "the norms' ε is 1e-6",
    file: "models/layers.ts",
    from: "epsilon = 1e-5",
    to: "epsilon = 1e-6",
    tests: ["models/modules.test.ts"],
  },
];
