/**
 * Examples of a prompt, and files of them: JSON lists of `{image, text}` for captions, `{image, question, answer}` for
 * questions, `{image, label}` for labels.
 */
import { OpenFlamingoError } from "../base/errors.js";
import {
  anything,
  faultList,
  listOf,
  object,
  type Reader,
  readFields,
  string,
  text,
} from "../base/fields.js";
import { parseJson } from "../base/json.js";
import type { ImageSource } from "../images/index.js";
import type { LabelShot, QuestionShot, Shot } from "./prompt.js";

export interface ShotOf {
  readonly caption: Shot;
  readonly ask: QuestionShot;
  readonly classify: LabelShot;
}

/** The texts of each kind of shot, beside its `image`. */
const texts = {
  caption: { text: string },
  ask: { question: string, answer: string },
  classify: { label: string },
} as const;

/** Shots that a caller gives. What else is in them is the caller's own business. */
export const shotsReader = <Kind extends keyof ShotOf>(kind: Kind): Reader<readonly ShotOf[Kind][]> =>
  listOf(
    object({ image: anything as Reader<ImageSource>, ...texts[kind] }, { ignored: () => true }),
  ) as Reader<never>;

/**
 * Checks what a shots file holds.
 *
 * @param file its name, for errors
 * @param pathOf an `image` of the file as a path from here: those in the file are relative to it
 * @throws OpenFlamingoError `shots-invalid` with every entry and field that is wrong
 */
export function parseShots<Kind extends keyof ShotOf>(
  kind: Kind,
  file: string,
  json: string,
  pathOf: (image: string) => string,
): readonly ShotOf[Kind][] {
  const form = ["image", ...Object.keys(texts[kind])].map((name) => `"${name}": "…"`).join(", ");
  const invalid = (what: string, cause?: unknown) =>
    new OpenFlamingoError("shots-invalid", `${file}: ${what}`, {
      hint: `A shots file is a JSON list: [{${form}}, …]`,
      cause,
    });
  const reader = listOf(object({ image: text, ...texts[kind] }));
  const shots = readFields(reader, parseJson(json, invalid), (faults) => invalid(faultList(faults)));
  return shots.map((shot) => ({ ...shot, image: pathOf(shot.image as string) })) as never;
}
