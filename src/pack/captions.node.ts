/** Samples of an image with a text: captions, and questions with answers. */
import { createHash } from "node:crypto";
import type { Role, Texts } from "./columns.js";
import { readImageFile, type StoreOptions, storeImage } from "./readImage.node.js";
import type { BadRow } from "./rows.js";
import { isBad } from "./rows.js";
import { hasSpecialTokens, keyOf, type Made, rowName } from "./samples.node.js";

export interface CaptionOptions {
  readonly lists: readonly string[];
  /** The folder of the images. */
  readonly images: string;
  /** The text of a sample, with `{caption}` and so on where the columns' texts go. */
  readonly template: string;
  readonly seed: number;
  readonly store: StoreOptions;
}

/** Rows that are known to be there before; more are not looked for. */
const mostKnown = 8_000_000;

/** Rows with those that say the same as an earlier one replaced by the fault `duplicate`. */
export async function* withoutDuplicates<R extends Role>(
  rows: AsyncIterable<Texts<R> | BadRow>,
): AsyncGenerator<Texts<R> | BadRow, void> {
  const known = new Set<number>();
  for await (const row of rows) {
    if (isBad(row)) {
      yield row;
      continue;
    }
    // 48 bits: among millions of rows two alike are far less probable than a row that is lost otherwise.
    const hash = createHash("sha256").update(Object.values(row.texts).join("\0")).digest().readUIntBE(0, 6);
    const { list, number } = row;
    yield known.has(hash) ? { list, number, bytes: 100, fault: "duplicate" } : row;
    if (known.size < mostKnown) known.add(hash);
  }
}

/** Text of a template. */
export const filled = (template: string, texts: Readonly<Partial<Record<Role, string>>>): string =>
  template.replace(/\{(image|caption|question|answer|url)\}/g, (_, role: Role) => (texts[role] ?? "").trim());

/**
 * A sample in LAION's form: the image, its text, and where both are from, as JSON.
 *
 * @throws the signal's reason
 */
export async function makeCaption(
  row: Texts<"image"> | BadRow,
  { lists, images, template, seed, store }: CaptionOptions,
  signal: AbortSignal,
): Promise<Made> {
  const none = { warnings: [], images: 0 };
  if (isBad(row)) return { ...none, name: rowName(lists, row), skipped: row.fault };
  const path = row.texts.image;
  const name = rowName(lists, row, path);
  const file = await readImageFile(images, path, store.limits?.maxBytes);
  if (typeof file === "string") return { ...none, name, skipped: file };
  const image = await storeImage(file, store, signal);
  if (typeof image === "string") return { ...none, name, skipped: image };
  const text = filled(template, row.texts);
  const { width, height, extension, bytes } = image;
  const origin = { image: path, list: rowName(lists, row), width, height };
  return {
    name,
    sample: {
      key: keyOf(seed, row),
      files: [
        [extension, bytes],
        ["txt", Buffer.from(text)],
        ["json", Buffer.from(JSON.stringify(origin))],
      ],
    },
    warnings: hasSpecialTokens(text) ? [["special-token-in-text", name]] : [],
    images: 1,
  };
}
