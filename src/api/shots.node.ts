/** Reads a shots file. */
import { readFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { OpenFlamingoError } from "../base/errors.js";
import { parseShots, type ShotOf } from "./shots.js";

/**
 * The examples of a file, with the paths of their images made absolute.
 *
 * @param kind `"caption"`: a JSON list of `{image, text}`; `"ask"`: of `{image, question, answer}`; `"classify"`: of
 *   `{image, label}`
 * @throws OpenFlamingoError `shots-invalid` when the file cannot be read or is not of that form
 * @example
 * await flamingo.caption("query.jpg", { shots: await readShots("shots.json") });
 */
export async function readShots<Kind extends keyof ShotOf = "caption">(
  file: string,
  kind: Kind = "caption" as Kind,
): Promise<readonly ShotOf[Kind][]> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (cause) {
    throw new OpenFlamingoError(
      "shots-invalid",
      `${file}: cannot be read (${(cause as NodeJS.ErrnoException).code})`,
      {
        hint: "Is the path right?",
        cause,
      },
    );
  }
  // An address is no path: `data:` is read as it is, and one on the web rejected as it is everywhere in text.
  const isAddress = (image: string) => /^(https?|data):/i.test(image);
  return parseShots(kind, file, text, (image) => (isAddress(image) ? image : resolve(dirname(file), image)));
}
