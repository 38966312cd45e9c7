/** Folders of images and shards, for tests of packing: made, and read again with nothing of `src`. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import sharp from "sharp";
import { list } from "tar";

/** The files of a sample, by their endings. */
export interface ReadSample {
  readonly key: string;
  readonly files: Readonly<Record<string, Buffer>>;
}

/** The samples of a shard, in their order: neighbours with the same name up to the first full stop. */
export async function samplesOf(shard: string): Promise<readonly ReadSample[]> {
  const samples: { key: string; files: Record<string, Buffer> }[] = [];
  list({
    file: shard,
    sync: true,
    onReadEntry: (entry) => {
      const [, key, ending] = /^([^.]*)\.(.*)$/.exec(entry.path)!;
      if (samples.at(-1)?.key !== key || ending! in samples.at(-1)!.files)
        samples.push({ key: key!, files: {} });
      const { files } = samples.at(-1)!;
      files[ending!] = Buffer.alloc(0);
      entry.on("data", (chunk) => {
        files[ending!] = Buffer.concat([files[ending!]!, chunk]);
      });
    },
  });
  return samples;
}

export const shardsIn = (folder: string): readonly string[] =>
  readdirSync(folder)
    .filter((name) => name.endsWith(".tar"))
    .sort();

/** All samples of a folder of shards. */
export async function allSamples(folder: string): Promise<readonly ReadSample[]> {
  const all = await Promise.all(shardsIn(folder).map((shard) => samplesOf(join(folder, shard))));
  return all.flat();
}

export const texts = (samples: readonly ReadSample[]): readonly string[] =>
  samples.map(({ files }) => files.txt!.toString());

/** An image of one colour, a different one for each number. */
export const imageFile = (
  number: number,
  { width = 24, height = 16, format = "png" as "png" | "jpeg" | "webp" | "gif" } = {},
): Promise<Buffer> =>
  sharp({
    create: {
      width,
      height,
      channels: 3,
      background: { r: (37 * number) % 256, g: (101 * number) % 256, b: 60 },
    },
  })
    .toFormat(format)
    .toBuffer();

/** An image of noise, whose file is large. */
export const noisyImage = (seed: number, side = 80): Promise<Buffer> => {
  const pixels = Buffer.alloc(3 * side * side);
  for (let i = 0, state = seed + 1; i < pixels.length; i++) {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    pixels[i] = state >>> 24;
  }
  return sharp(pixels, { raw: { width: side, height: side, channels: 3 } })
    .png()
    .toBuffer();
};

/** Whether two folders hold the same shards and the same index. */
export const sameFolders = (a: string, b: string): boolean =>
  [...shardsIn(a), "index.json"].every((name) =>
    readFileSync(join(a, name)).equals(readFileSync(join(b, name))),
  ) && shardsIn(a).length === shardsIn(b).length;
