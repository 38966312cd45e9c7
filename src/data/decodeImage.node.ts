/**
 * Image files as training takes them: turned into RGB first, then resized, cropped and normalised.
 *
 * Reference: webdataset's `pilrgb` decoder and open_flamingo's `preprocess_interleaved` convert before open_clip's
 * transform does anything, unlike evaluation (`images/preprocess.ts`).
 */
import { OpenFlamingoError } from "../base/errors.js";
import { decodeImage } from "../images/decode.node.js";
import { type ImageOptions, type Preprocessing, preprocess, toRgb, toSquare } from "../images/index.js";

/** What is returned for an image that was only looked at. */
const nothing = new Float32Array();

/**
 * @param wanted whether pixels are needed; otherwise the file is decoded only to see that it can be
 * @returns float32 (3, S, S); undefined for a file that cannot be decoded
 * @throws the signal's reason; an error that is not the file's fault
 */
export async function decodeForTraining(
  file: Uint8Array,
  preprocessing: Preprocessing,
  {
    wanted = true,
    ...options
  }: ImageOptions & { readonly wanted?: boolean; readonly signal?: AbortSignal | undefined } = {},
): Promise<Float32Array | undefined> {
  try {
    const raster = await decodeImage(file, options);
    if (!wanted) return nothing;
    return preprocess(await toSquare(toRgb(raster), preprocessing.size, options), preprocessing);
  } catch (error) {
    if (error instanceof OpenFlamingoError && error.code.startsWith("image-")) return undefined;
    throw error;
  }
}
