/** Image files as small squares of pixels, decoded once and kept in a file: twenty thousand take a minute. */
import { createHash } from "node:crypto";
import sharp from "sharp";
import { openCacheFile } from "./cacheFile.node.js";

/** The side of all photographs in pixels. */
export const photographSide = 64;
const bytesOfOne = 3 * photographSide ** 2;

/** To be raised when the same files come to give other pixels. */
const form = 1;

export interface DecodeOptions {
  /** Of the cache file. */
  readonly path: string;
  /** Called while files are decoded, with images. */
  readonly progress?: ((done: number, total: number) => void) | undefined;
}

/**
 * Red, green, blue of 64 × 64 pixels for each file, in their order. The shorter side becomes the image's, what the longer
 * one has more at both ends falls away.
 *
 * @throws what sharp throws for a file that is no image
 */
export async function decodeImages(
  files: readonly Uint8Array[],
  { path, progress }: DecodeOptions,
): Promise<readonly Uint8Array[]> {
  const digest = createHash("sha256");
  for (const file of files) digest.update(createHash("sha256").update(file).digest());
  const all = await openCacheFile({
    path,
    madeOf: {
      what: "images: RGB",
      form,
      side: photographSide,
      sharp: sharp.versions.sharp,
      sha256: digest.digest("hex"),
    },
    rows: files.length,
    rowBytes: bytesOfOne,
    make: () => decode(files),
    progress,
  });
  return files.map((_, i) => all.subarray(bytesOfOne * i, bytesOfOne * (i + 1)));
}

/** Several at a time: sharp works beside the main thread. */
async function* decode(files: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  const atATime = 8;
  for (let start = 0; start < files.length; start += atATime)
    yield* await Promise.all(files.slice(start, start + atATime).map(decodeOne));
}

const decodeOne = (file: Uint8Array): Promise<Uint8Array> =>
  sharp(file)
    .rotate() // as its metadata say
    .resize(photographSide, photographSide, { fit: "cover", kernel: "cubic" })
    .flatten({ background: "white" })
    .toColourspace("srgb")
    .raw()
    .toBuffer();
