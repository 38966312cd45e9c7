/** The golden set's images: their files, their pixels, and which of them some pixels are. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { onFirstUse } from "../../src/base/onFirstUse.js";
import { decodeForTraining } from "../../src/data/decodeImage.node.js";
import { dataFile } from "./goldenData.js";

/** Small, so that many documents are quick: which image it is can still be seen. */
export const testPreprocessing = { size: 24, mean: [0.5, 0.5, 0.5], std: [0.25, 0.25, 0.25] } as const;

const decoded = new Map<string, Promise<Float32Array | undefined>>();

/** Decodes as training does, each file once: the documents have the same ones again and again. */
export function decode(file: Uint8Array, wanted: boolean): Promise<Float32Array | undefined> {
  const key = `${wanted} ${Buffer.from(file).toString("latin1")}`;
  const pixels = decoded.get(key) ?? decodeForTraining(file, testPreprocessing, { wanted });
  decoded.set(key, pixels);
  return pixels;
}

/** An image of a document as the golden set describes it. */
export interface Recipe {
  readonly picture?: string;
  readonly bytes?: number;
  readonly zeros?: number;
  readonly base64?: string;
}

/** The file's base64. */
export function base64Of({ picture, bytes, zeros, base64 }: Recipe): string {
  if (base64 !== undefined) return base64;
  if (zeros !== undefined) return Buffer.alloc(zeros).toString("base64");
  const file = readFileSync(join(dataFile("pictures"), picture!));
  const sized = Buffer.alloc(bytes ?? file.length);
  file.copy(sized);
  return sized.toString("base64");
}

const nameOfPixels = (pixels: Float32Array) =>
  Buffer.from(pixels.buffer, pixels.byteOffset, pixels.byteLength).toString("latin1");

const known = onFirstUse(async () => {
  const folder = dataFile("pictures");
  const names = await Promise.all(
    readdirSync(folder).map(async (name) => {
      const pixels = await decode(readFileSync(join(folder, name)), true);
      return [nameOfPixels(pixels!), name] as const;
    }),
  );
  return new Map(names);
});

/** The name of the golden image that these pixels are. */
export const pictureOf = async (pixels: Float32Array): Promise<string> =>
  (await known()).get(nameOfPixels(pixels)) ?? "unknown";

/** Images of a sample as the golden set lists them: the name and whether it is flipped, then null for padding. */
export async function listed(
  { images, flipped }: { readonly images: readonly Float32Array[]; readonly flipped: readonly boolean[] },
  slots: number,
): Promise<(readonly [string, string] | null)[]> {
  const shown = await Promise.all(
    images.map(async (pixels, i) => [await pictureOf(pixels), flipped[i] ? "flipped" : "as is"] as const),
  );
  return [...shown, ...new Array<null>(Math.max(0, slots - images.length)).fill(null)];
}
