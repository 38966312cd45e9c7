/**
 * Writes the variants of a kind (bmp, jpeg, orientation) into a folder, for `pillow.py` to read:
 *
 *     npx tsx test/images/pillow/write.ts KIND FOLDER
 *     python test/images/pillow/pillow.py KIND FOLDER [GOLDENS/preprocess/inputs] > test/images/pillow/KIND.json
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const [kind, folder] = process.argv.slice(2) as [string, string];
const variants: { [kind: string]: () => Promise<readonly { readonly file: Uint8Array }[]> } = {
  bmp: async () => (await import("./bmpVariants.js")).bmpVariants(),
  jpeg: async () => (await import("./jpegVariants.js")).jpegVariants(),
  orientation: async () => (await import("./orientationVariants.js")).orientationVariants(),
};
mkdirSync(folder, { recursive: true });
for (const [i, { file }] of (await variants[kind]!()).entries()) writeFileSync(join(folder, String(i)), file);
