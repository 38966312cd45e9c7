/** What attention has to know of rows of text that are whole, and filled up on the right: nothing comes before them. */
import { cast, iota, less, maskWhere, rearrange, sizes, type Tensor } from "../graph/index.js";
import type { AttentionContext } from "../models/selfAttention.js";

/** Tokens stand at the same positions in all rows, so that one is enough: ids int32 (b, t) → (1, t) and (1, t, t). */
export function wholeRows(ids: Tensor): AttentionContext {
  const { t } = sizes(ids, "b t");
  const position = cast(rearrange(iota(ids.node.graph, t), "t -> () t"), { to: "float32" }); // (1, t)
  const ahead = less(rearrange(position, "b t -> b t ()"), rearrange(position, "b t -> b () t")); // (1, t, t)
  return { position, mask: maskWhere(ahead) };
}
