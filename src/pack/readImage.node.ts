/** Image files of a folder that a list names: read, checked, and brought into the form that shards keep. */
import { join } from "node:path";
import { OpenFlamingoError } from "../base/errors.js";
import { openInside } from "../checkpoints/insideFolder.node.js";
import { pathFault } from "../checkpoints/relativePath.js";
import { decodeImage } from "../images/decode.node.js";
import { encodeImage } from "../images/encode.node.js";
import { formatOf } from "../images/formats.js";
import type { ImageLimits } from "../images/image.js";
import { toRgb } from "../images/index.js";

/** How images are stored. */
export interface StoreOptions {
  /**
   * `"keep"`: the bytes of JPEG and PNG files stay as they are, and other formats become JPEG. `"jpeg"`, `"png"`: every
   * image is written anew.
   */
  readonly encode: "keep" | "jpeg" | "png";
  /** Of JPEG, from 1 to 100. */
  readonly quality: number;
  /** Images with a longer side are scaled down to it, in pixels. */
  readonly maxSide?: number | undefined;
  readonly limits?: ImageLimits | undefined;
}

export interface StoredImage {
  readonly extension: "jpg" | "png";
  readonly bytes: Uint8Array;
  readonly width: number;
  readonly height: number;
}

/** Why there is no image, for counting. */
export type ImageFault =
  | "path-outside" // it leaves the folder, is absolute, or no path
  | "image-missing"
  | "image-unreadable" // damaged, not an image, beyond a limit
  | "image-unsupported"; // of a format that is not read

/** Bytes of an image file, unless limits say otherwise. */
export const mostImageBytes = 128 * 2 ** 20;

const endings = [".jpg", ".jpeg", ".png", ".webp"];

/**
 * The bytes of an image of a folder. A name without an ending is tried with those of common formats.
 *
 * @param path as an untrusted list has it: relative, with `/`, and within the folder, whatever links there are
 */
export async function readImageFile(
  folder: string,
  path: string,
  maxBytes: number = mostImageBytes,
): Promise<Uint8Array | ImageFault> {
  if (pathFault(path) !== undefined) return "path-outside";
  const names = /\.[a-z\d]{2,5}$/i.test(path) ? [path] : [path, ...endings.map((ending) => path + ending)];
  let fault: ImageFault = "image-missing";
  for (const name of names) {
    const opened = await openInside({ path: join(folder, name), folder });
    if ("fault" in opened) {
      if (opened.leaves) return "path-outside";
      if (!opened.absent) fault = "image-unreadable";
      continue;
    }
    const { file, size } = opened;
    try {
      if (size > maxBytes) return "image-unreadable";
      return await file.readFile();
    } catch {
      return "image-unreadable";
    } finally {
      await file.close();
    }
  }
  return fault;
}

/**
 * Decodes an image, which is the check that training can read it, and gives the bytes to store.
 *
 * @throws the signal's reason
 */
export async function storeImage(
  file: Uint8Array,
  { encode, quality, maxSide, limits }: StoreOptions,
  signal?: AbortSignal,
): Promise<StoredImage | ImageFault> {
  try {
    const raster = await decodeImage(file, { ...limits, signal });
    const { width, height } = raster;
    const format = formatOf(file);
    const fits = maxSide === undefined || Math.max(width, height) <= maxSide;
    if (encode === "keep" && fits && (format === "JPEG" || format === "PNG")) {
      return { extension: format === "JPEG" ? "jpg" : "png", bytes: file, width, height };
    }
    const to = encode === "png" || (encode === "keep" && format === "PNG") ? "png" : "jpeg";
    const made = await encodeImage(toRgb(raster), { format: to, quality, maxSide });
    return { extension: to === "png" ? "png" : "jpg", ...made };
  } catch (error) {
    signal?.throwIfAborted();
    if (!(error instanceof OpenFlamingoError)) throw error;
    return error.code === "image-unsupported" ? "image-unsupported" : "image-unreadable";
  }
}
