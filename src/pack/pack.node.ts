/**
 * Packs training data: a list and a folder of images → shards that training reads.
 *
 * Reference: open_flamingo/scripts/convert_mmc4_to_wds.py for MMC4; img2dataset for the form of LAION's shards.
 */
import type { Progress } from "../base/progress.js";
import { inBlocks } from "./blocks.js";
import { type CaptionOptions, makeCaption, withoutDuplicates } from "./captions.node.js";
import { type ColumnNames, type Role, requireColumns, type Texts, textsOf } from "./columns.js";
import { type DocumentOptions, makeDocument } from "./makeDocument.node.js";
import { digestOf } from "./output.node.js";
import { type PackSummary, packShards } from "./packShards.node.js";
import { readList } from "./readList.node.js";
import type { AnyRow, BadRow, ListForm } from "./rows.js";

/** What is packed. */
export type PackWork = {
  readonly output: string;
  readonly samplesPerShard: number;
  readonly shuffle: boolean;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: Progress | undefined;
} & (
  | (CaptionOptions & {
      readonly kind: "captions" | "questions";
      readonly form: ListForm;
      readonly columns: ColumnNames;
    })
  | (DocumentOptions & { readonly kind: "documents" | "mmc4" })
);

const rolesOf = {
  captions: ["image", "caption"],
  questions: ["image", "question", "answer"],
} as const satisfies Readonly<Record<string, readonly Role[]>>;

/**
 * @throws OpenFlamingoError `data-missing`, `data-invalid`, `usage`, `disk`; the signal's reason
 */
export async function pack(work: PackWork): Promise<PackSummary> {
  const { output, samplesPerShard, shuffle, seed, signal, onProgress, ...settings } = work;
  const lists: string[] = [];
  for (const list of work.lists) lists.push(await digestOf(list, signal));
  // What is written follows from these alone, and from the images.
  const head = { format: 1, ...settings, lists, samplesPerShard, shuffle, seed };
  let read = 0;
  const ordered = <R extends { readonly bytes: number }>(rows: AsyncIterable<R>) =>
    inBlocks(rows, { seed: shuffle ? seed : undefined, onRead: (count) => (read = count) });
  const shared = { output, head, samplesPerShard, signal, onProgress, total: () => read };
  if ("columns" in work) {
    return packShards<Texts<"image"> | BadRow>({
      ...shared,
      kind: "image-text",
      rows: ordered(withoutDuplicates(textRows(work.lists, rolesOf[work.kind], work.columns, work.form))),
      make: (row, unwanted) => makeCaption(row, work, unwanted),
    });
  }
  return packShards<AnyRow>({
    ...shared,
    kind: "documents",
    rows: ordered(documentRows(work.lists)),
    make: (row, unwanted) => makeDocument(row, work, unwanted),
  });
}

/** The rows of all lists, one list after the other, with the texts of these columns. */
export async function* textRows<R extends Role>(
  lists: readonly string[],
  roles: readonly R[],
  names: ColumnNames,
  form: ListForm,
): AsyncGenerator<Texts<R> | BadRow, void> {
  for (const [list, file] of lists.entries()) {
    const wanted = (columns: readonly string[]) =>
      Object.values<string>(requireColumns(roles, columns, names, file));
    yield* textsOf(readList(file, { list, form, wanted }), { roles, names, file });
  }
}

async function* documentRows(lists: readonly string[]): AsyncGenerator<AnyRow, void> {
  for (const [list, file] of lists.entries()) {
    yield* readList(file, { list, form: {}, wanted: (columns) => columns });
  }
}
