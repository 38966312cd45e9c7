/**
 * What of a list is fetched: each image in a file of its own, which is there when it is whole, and each outcome in the
 * journal. Rows come in groups, a shard's worth each; of a group that is finished, only the group is remembered.
 */
import { mkdir, readdir, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { JsonObject } from "../base/json.js";
import { diskError } from "../base/wholeFile.node.js";
import { unreached } from "./fetchImage.node.js";
import { type Journal, openJournal } from "./journal.node.js";
import type { StoredImage } from "./readImage.node.js";
import type { Counts } from "./tally.js";

/** An image that is there. */
export interface Fetched {
  /** Its path in the output folder. */
  readonly file: string;
  readonly bytes: number;
  readonly width: number;
  readonly height: number;
}

/** An image, or why there is none. */
export type Outcome = Fetched | { readonly failed: string };

/** A finished group: the file that was made of it, unless none of its rows has an image. */
export interface Group {
  readonly group: number;
  readonly file?: string;
  readonly samples: number;
  readonly bytes: number;
  readonly sha256?: string;
  readonly skipped: Counts;
  readonly warnings: Counts;
}

export interface FetchState {
  /** The finished groups, which are the first ones. */
  readonly groups: readonly Group[];
  /** Of a row of a group that is not finished. */
  outcomeOf(row: number): Promise<Outcome | undefined>;
  /** An image of a row is written, or its failure noted. */
  keep(row: number, image: StoredImage | string): Promise<Outcome>;
  /** A group is finished. */
  finish(group: Group): Promise<void>;
  close(): Promise<void>;
}

/** The folder of a group's images, in the output folder. */
export const groupFolder = (group: number): string => `images/${String(group).padStart(5, "0")}`;

export const fetchJournal = "fetching.jsonl";

/** @throws OpenFlamingoError `usage` for a folder of other work; `disk` */
export async function openFetchState(
  output: string,
  head: JsonObject,
  {
    groupRows,
    check,
  }: { readonly groupRows: number; readonly check: (path: string) => Promise<StoredImage | string> },
): Promise<FetchState> {
  const groups: Group[] = [];
  const outcomes = new Map<number, Outcome>();
  const journal: Journal = await openJournal(join(output, fetchJournal), head, (entry) => {
    const { row, group, ...rest } = entry as JsonObject & { row?: number; group?: number };
    if (row !== undefined) {
      const outcome = rest as unknown as Outcome;
      // What may have been the network's fault is tried again.
      if (!("failed" in outcome && unreached.has(outcome.failed))) outcomes.set(row, outcome);
    } else if (group !== undefined) {
      groups.push({ group, ...rest } as Group);
      for (let i = group * groupRows; i < (group + 1) * groupRows; i++) outcomes.delete(i);
    }
  });
  const folders = new Map<number, Promise<ReadonlySet<string>>>();
  /** The files of a group as they were when it was begun in this process. */
  const filesOf = (group: number): Promise<ReadonlySet<string>> => {
    const known = folders.get(group);
    if (known) return known;
    const folder = join(output, groupFolder(group));
    const made = mkdir(folder, { recursive: true })
      .then(() => readdir(folder))
      .then((names) => new Set(names))
      .catch((error: unknown) => {
        throw diskError(folder, error);
      });
    folders.set(group, made);
    return made;
  };
  const pathOf = (row: number, extension: string) =>
    `${groupFolder(Math.floor(row / groupRows))}/${String(row).padStart(9, "0")}.${extension}`;
  const note = async (row: number, outcome: Outcome) => {
    outcomes.set(row, outcome);
    await journal.append({ row, ...outcome });
    return outcome;
  };

  return {
    groups,
    async outcomeOf(row) {
      const files = await filesOf(Math.floor(row / groupRows));
      const noted = outcomes.get(row);
      if (noted && "failed" in noted) return noted;
      if (noted) {
        // A power failure may leave a file empty that was whole.
        const found = await stat(join(output, noted.file)).catch(() => undefined);
        return found?.size === noted.bytes ? noted : undefined;
      }
      // Written, and killed before it was noted.
      for (const extension of ["jpg", "png"]) {
        const file = pathOf(row, extension);
        if (!files.has(file.split("/").at(-1)!)) continue;
        const image = await check(join(output, file));
        if (typeof image === "string") continue;
        const { bytes, width, height } = image;
        return note(row, { file, bytes: bytes.length, width, height });
      }
      return undefined;
    },
    async keep(row, image) {
      if (typeof image === "string") return note(row, { failed: image });
      const { extension, bytes, width, height } = image;
      const file = pathOf(row, extension);
      const unfinished = join(output, `${pathOf(row, "part")}`);
      try {
        await writeFile(unfinished, bytes);
        await rename(unfinished, join(output, file));
      } catch (error) {
        await rm(unfinished, { force: true }).catch(() => {});
        throw diskError(join(output, file), error);
      }
      return note(row, { file, bytes: bytes.length, width, height });
    },
    async finish(group) {
      await journal.append({ ...group }, { sync: true });
      groups.push(group);
      folders.delete(group.group);
      for (let i = group.group * groupRows; i < (group.group + 1) * groupRows; i++) outcomes.delete(i);
    },
    close: () => journal.close(),
  };
}
