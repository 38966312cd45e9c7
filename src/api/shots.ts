/**
 * Files of examples: a JSON list of `{image, text}` for captions, `{image, question, answer}` for questions, `{image,
 * label}`.
 */
import { OpenFlamingoError } from "../base/errors.js";
import { isObject, parseJson } from "../base/json.js";
import type { LabelShot, QuestionShot, Shot } from "./prompt.js";

/** The fields of each kind of shot. */
const kinds = {
  caption: ["image", "text"],
  ask: ["image", "question", "answer"],
  classify: ["image", "label"],
} as const;

export interface ShotOf {
  readonly caption: Shot;
  readonly ask: QuestionShot;
  readonly classify: LabelShot;
}

/**
 * Checks what a shots file holds.
 *
 * @param file its name, for errors
 * @param pathOf an `image` of the file as a path from here: those in the file are relative to it
 * @throws OpenFlamingoError `shots-invalid` naming the entry and the field
 */
export function parseShots<Kind extends keyof ShotOf>(
  kind: Kind,
  file: string,
  text: string,
  pathOf: (image: string) => string,
): readonly ShotOf[Kind][] {
  const names = kinds[kind];
  const form = `[{${names.map((name) => `"${name}": "…"`).join(", ")}}, …]`;
  const invalid = (what: string, cause?: unknown) =>
    new OpenFlamingoError("shots-invalid", `${file}: ${what}`, {
      hint: `A shots file is a JSON list: ${form}`,
      cause,
    });
  const list = parseJson(text, invalid);
  if (!Array.isArray(list)) throw invalid("not a list");
  return list.map((entry: unknown, i) => {
    if (!isObject(entry)) throw invalid(`entry ${i} is not an object`);
    const fields = entry;
    for (const name of names) {
      if (typeof fields[name] !== "string") throw invalid(`entry ${i} has no text "${name}"`);
    }
    const unknown = Object.keys(fields).find((name) => !(names as readonly string[]).includes(name));
    if (unknown !== undefined) throw invalid(`entry ${i} has an unknown field "${unknown}"`);
    return { ...fields, image: pathOf(fields.image as string) } as ShotOf[Kind];
  });
}
