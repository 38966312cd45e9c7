/** `openflamingo.json`, the description of a model folder. Contract: "openflamingo.json". */
import { OpenFlamingoError } from "../base/errors.js";
import { isObject, parseJsonObject, quoted } from "../base/json.js";
import { listed } from "./messages.js";
import { pathFault } from "./relativePath.js";

/** What the file says; paths are relative to the folder. */
export interface ModelDescription {
  readonly name: string;
  /** "random": untrained, its words mean nothing, and the program says so. */
  readonly words: "random" | "trained";
  readonly vision: { readonly config: string; readonly weights: string };
  readonly language: { readonly config: string; readonly weights: string; readonly tokenizer: string };
  readonly flamingo: { readonly checkpoint: string; readonly crossAttentionEvery: number };
  /** One line. */
  readonly licence?: string;
  /** A Markdown file. */
  readonly card?: string;
  /** What this model wants between image and caption, in place of `Output:`. */
  readonly prompt?: string;
  /** This model's own defaults. */
  readonly generation?: {
    readonly maxNewTokens?: number;
    readonly minNewTokens?: number;
    readonly stop?: readonly string[];
  };
}

/** What is wrong with a value that stands at `at`. */
type Check = (value: unknown, at: string) => string[];

const rule =
  (holds: (value: unknown) => boolean, what: string): Check =>
  (value, at) => {
    if (value === undefined) return [`${at} is missing`];
    return holds(value) ? [] : [`${at} must be ${what}, and is ${quoted(value)}`];
  };

const optional =
  (check: Check): Check =>
  (value, at) =>
    value === undefined ? [] : check(value, at);

const fields =
  (checks: Readonly<Record<string, Check>>): Check =>
  (value, at) => {
    if (!isObject(value)) return object(value, at);
    const inside = at === "" ? "" : `${at}.`;
    const unknown = Object.keys(value).filter((key) => !Object.hasOwn(checks, key));
    return [
      ...unknown.map((key) => `${quoted(inside + key)} is no key of this file`),
      ...Object.entries(checks).flatMap(([key, check]) => check(value[key], inside + key)),
    ];
  };

const text = rule((value) => typeof value === "string" && value !== "", "text");
const count = rule((value) => Number.isSafeInteger(value) && Number(value) > 0, "a whole number from 1 on");
const object = rule(isObject, "an object");
const texts = rule(
  (value) => Array.isArray(value) && value.every((each) => typeof each === "string" && each !== ""),
  "a list of texts",
);
const path: Check = (value, at) => {
  const fault = typeof value === "string" ? pathFault(value) : undefined;
  return fault === undefined ? text(value, at) : [`${at} ${quoted(value)} ${fault}`];
};

const keys = {
  format: rule((value) => value === "openflamingo-model", '"openflamingo-model"'),
  version: count,
  name: text,
  words: rule((value) => value === "random" || value === "trained", '"random" or "trained"'),
  vision: fields({ config: path, weights: path }),
  language: fields({ config: path, weights: path, tokenizer: path }),
  flamingo: fields({ checkpoint: path, crossAttentionEvery: count }),
  licence: optional(text),
  card: optional(path),
  prompt: optional(text),
  generation: optional(
    fields({ maxNewTokens: optional(count), minNewTokens: optional(count), stop: optional(texts) }),
  ),
};

/**
 * Reads the description.
 *
 * @param name what messages call the file
 * @throws OpenFlamingoError "model-invalid" with all that is wrong; "model-unsupported" for another version
 * and for a prepared folder
 */
export function parseModelDescription(json: string, name: string): ModelDescription {
  const hint = `Its keys are ${Object.keys(keys).join(", ")}.`;
  const invalid = (what: string, cause?: unknown) =>
    new OpenFlamingoError("model-invalid", `${name}: ${what}`, { hint, cause });
  const value = parseJsonObject(json, invalid);
  const { format, version, ...description } = value;
  const unsupported = (what: string) =>
    new OpenFlamingoError("model-unsupported", `${name}: ${what}`, {
      hint: "A newer version of this program may read it: npm install openflamingo@latest.",
    });
  if (Number.isInteger(version) && version !== 1) {
    throw unsupported(`is of version ${version}; this program reads version 1`);
  }
  if ("prepared" in value) {
    throw unsupported('describes a "prepared" folder; this program reads unprepared weights only');
  }
  const faults = fields(keys)(value, "");
  if (faults.length > 0) throw invalid(listed(faults, "; "));
  return description as unknown as ModelDescription; // the checks above are its type
}
