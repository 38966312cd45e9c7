/** Pictures that are alike are encoded once, however often they come in a call. */
import { sha256 } from "../base/digest.js";
import type { Engine } from "./engine.js";
import type { EncodedPicture } from "./pool.js";

/** As `engine.encode`; keeps what it has encoded as long as it lives itself. */
export function encodeOnce(engine: Pick<Engine, "encode">): Engine["encode"] {
  const known = new Map<string, Promise<EncodedPicture>>();
  return async (pixels, options) => {
    const name = await sha256(pixels);
    const encoded = known.get(name) ?? engine.encode(pixels, options);
    known.set(name, encoded);
    return encoded;
  };
}
