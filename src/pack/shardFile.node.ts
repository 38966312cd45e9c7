/**
 * Writes a shard: a tar archive in which the files of a sample lie side by side and have its key for their name, up to
 * the first full stop.
 *
 * Format: POSIX ustar; webdataset's documentation, "The WebDataset Format". Owner, rights and times are always the
 * same, so that the same samples make the same bytes.
 */
import { createHash } from "node:crypto";
import { pack } from "tar-stream";
import { writeWhole } from "../base/wholeFile.node.js";

/** Files of a sample, by their endings. */
export interface Sample {
  /** Without full stops and slashes. */
  readonly key: string;
  readonly files: readonly (readonly [ending: string, bytes: Uint8Array])[];
}

export interface WrittenShard {
  readonly samples: number;
  readonly bytes: number;
  /** In hexadecimal digits. */
  readonly sha256: string;
}

/** Name of a shard: `00042.tar`. */
export const shardName = (index: number): string => `${String(index).padStart(5, "0")}.tar`;

/**
 * Writes a shard atomically: it is there when it is complete.
 *
 * @param next the next sample; undefined ends the shard
 * @throws OpenFlamingoError `disk`; what `next` throws
 */
export async function writeShard(
  path: string,
  next: () => Promise<Sample | undefined>,
): Promise<WrittenShard> {
  const hash = createHash("sha256");
  let [samples, bytes] = [0, 0];
  await writeWhole(path, async (file) => {
    const tar = pack();
    const write = async () => {
      for await (const chunk of tar as AsyncIterable<Uint8Array>) {
        hash.update(chunk);
        bytes += chunk.length;
        await file.writeFile(chunk);
      }
    };
    const written = write();
    written.catch(() => {}); // seen below, wherever the work is by then
    const add = (name: string, content: Uint8Array) =>
      new Promise<void>((resolve, reject) => {
        const header = { name, size: content.length, mode: 0o644, mtime: new Date(0) };
        tar.entry(header, Buffer.from(content.buffer, content.byteOffset, content.length), (error) =>
          error ? reject(error) : resolve(),
        );
      });
    try {
      for (let sample = await next(); sample !== undefined; sample = await next()) {
        for (const [ending, content] of sample.files) {
          await Promise.race([add(`${sample.key}.${ending}`, content), written]);
        }
        samples++;
      }
      tar.finalize();
      await written;
    } finally {
      tar.destroy();
      await written.catch(() => {});
    }
  });
  return { samples, bytes, sha256: hash.digest("hex") };
}
