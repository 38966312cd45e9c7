/** JSON files of a model. */
import { OpenFlamingoError } from "../base/errors.js";
import { parseJson } from "../base/json.js";
import type { ModelPath } from "../checkpoints/modelPath.js";
import type { Platform } from "./platform.js";

/** @throws OpenFlamingoError `model-missing`, and what `Platform.readText` throws */
export async function readJson(
  platform: Platform,
  at: ModelPath,
  signal: AbortSignal | undefined,
): Promise<unknown> {
  const text = await platform.readText(at, signal);
  if (text !== undefined) return parse(at.path, text);
  throw new OpenFlamingoError("model-missing", `${at.path}: cannot be read: it is not there`, {
    hint: "Is the model whole?",
  });
}

/** The same for a file that need not be there. */
export async function readOptionalJson(
  platform: Platform,
  at: ModelPath,
  signal: AbortSignal | undefined,
): Promise<unknown> {
  const text = await platform.readText(at, signal);
  return text === undefined ? undefined : parse(at.path, text);
}

const parse = (path: string, text: string): unknown =>
  parseJson(
    text,
    (what, cause) =>
      new OpenFlamingoError("model-invalid", `${path}: ${what}`, { hint: "Is the file whole?", cause }),
  );
