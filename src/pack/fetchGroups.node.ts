/** What is made of a group of rows when all its images are fetched: a shard, or a part of a list. */
import { readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { diskError, writeWhole } from "../base/wholeFile.node.js";
import { filled } from "./captions.node.js";
import type { Texts } from "./columns.js";
import { type Fetched, type Group, groupFolder, type Outcome } from "./fetchState.node.js";
import type { BadRow } from "./rows.js";
import { isBad } from "./rows.js";
import { hasSpecialTokens, keyOf, rowName } from "./samples.node.js";
import { shardName, writeShard } from "./shardFile.node.js";
import { createTally } from "./tally.js";

export type ListedRow = Texts<"url" | "caption"> | BadRow;

/** A row with what came of it. */
export interface DoneRow {
  readonly row: ListedRow;
  /** Absent where the row cannot be read. */
  readonly outcome?: Outcome;
}

export interface FinishOptions {
  readonly output: string;
  readonly lists: readonly string[];
  readonly as: "shards" | "folder";
  readonly template: string;
  readonly seed: number;
}

/** Where the part of the list of a group is kept until the list is whole. */
export const partOf = (group: number): string => `${groupFolder(group)}.jsonl`;

/**
 * @param shard number of the shard, if one is made
 * @throws OpenFlamingoError `disk`
 */
export async function finishGroup(
  group: number,
  rows: readonly DoneRow[],
  shard: number,
  options: FinishOptions,
): Promise<Group> {
  const { output, lists, as, template } = options;
  const [skipped, warnings] = [createTally(), createTally()];
  const fetched: Item[] = [];
  for (const { row, outcome } of rows) {
    if (isBad(row)) skipped.add(row.fault, rowName(lists, row));
    else if (outcome && "failed" in outcome) skipped.add(outcome.failed, rowName(lists, row, row.texts.url));
    else if (outcome) {
      fetched.push({ row, ...outcome });
      const text = filled(template, row.texts);
      if (hasSpecialTokens(text)) warnings.add("special-token-in-text", rowName(lists, row));
    }
  }
  const counts = { group, skipped: skipped.counts(), warnings: warnings.counts() };
  const bytes = fetched.reduce((sum, each) => sum + each.bytes, 0);
  if (as === "folder") {
    await writePart(join(output, partOf(group)), fetched);
    return { ...counts, samples: fetched.length, bytes };
  }
  if (fetched.length === 0) return { ...counts, samples: 0, bytes: 0 };
  const file = shardName(shard);
  const items = fetched.values();
  const written = await writeShard(join(output, file), async () => {
    const next = items.next();
    return next.done ? undefined : sampleOf(next.value, options);
  });
  return { ...counts, file, ...written };
}

type Item = Fetched & { readonly row: Texts<"url" | "caption"> };

async function sampleOf(
  { row, file, width, height }: Item,
  { output, lists, template, seed }: FinishOptions,
) {
  const bytes = await readFile(join(output, file)).catch((error: unknown) => {
    throw diskError(join(output, file), error);
  });
  const origin = { url: row.texts.url, list: rowName(lists, row), width, height };
  return {
    key: keyOf(seed, row),
    files: [
      [file.endsWith(".png") ? "png" : "jpg", bytes],
      ["txt", Buffer.from(filled(template, row.texts))],
      ["json", Buffer.from(JSON.stringify(origin))],
    ],
  } as const;
}

function writePart(path: string, items: readonly Item[]): Promise<void> {
  const lines = items.map(({ row: { texts }, file, width, height }) =>
    JSON.stringify({ image: file, caption: texts.caption, url: texts.url, width, height }),
  );
  return writeWhole(path, (part) => part.writeFile(lines.map((line) => `${line}\n`).join("")));
}

/** What is not needed any more when a group is finished: its images in a shard, unfinished files in a folder. */
export async function tidyGroup(
  group: number,
  { output, as }: Pick<FinishOptions, "output" | "as">,
): Promise<void> {
  const folder = join(output, groupFolder(group));
  if (as === "shards") await rm(folder, { recursive: true, force: true });
  else {
    const left = (await readdir(folder).catch(() => [])).filter((name) => name.endsWith(".part"));
    for (const name of left) await rm(join(folder, name), { force: true });
  }
}

/** The list of all images, `list.jsonl`, from the parts of all groups. */
export async function writeList(output: string, groups: number): Promise<void> {
  await writeWhole(join(output, listName), async (list) => {
    for (let group = 0; group < groups; group++) {
      const part = join(output, partOf(group));
      const content = await readFile(part).catch((error: unknown) => {
        throw diskError(part, error);
      });
      await list.writeFile(content);
    }
  });
}

export const listName = "list.jsonl";
