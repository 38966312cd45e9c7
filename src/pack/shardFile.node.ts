/**
 * Writes a shard: a tar archive in which the files of a sample lie side by side and have its key for their name, up to
 * the first full stop.
 *
 * Format: POSIX ustar; webdataset's documentation, "The WebDataset Format". Owner, rights and times are always the
 * same, so that the same samples make the same bytes.
 */
import { createHash } from "node:crypto";
import { Header } from "tar";
import { bug } from "../base/errors.js";
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
    const write = async (...pieces: readonly Uint8Array[]) => {
      for (const piece of pieces) {
        hash.update(piece);
        bytes += piece.length;
        await file.writeFile(piece);
      }
    };
    for (let sample = await next(); sample !== undefined; sample = await next()) {
      for (const [ending, content] of sample.files) {
        const rest = (blockBytes - (content.length % blockBytes)) % blockBytes;
        await write(headerOf(`${sample.key}.${ending}`, content.length), content, new Uint8Array(rest));
      }
      samples++;
    }
    await write(new Uint8Array(2 * blockBytes)); // the archive's end
  });
  return { samples, bytes, sha256: hash.digest("hex") };
}

const blockBytes = 512;

function headerOf(path: string, size: number): Uint8Array {
  const header = new Header({ ...{ path, size, type: "File" }, mode: 0o644, mtime: new Date(0) });
  if (header.encode()) throw bug("internal", `${path}: its name or size does not fit into a tar header`);
  return header.block!;
}
