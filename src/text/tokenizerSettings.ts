/**
 * The files beside a `tokenizer.json`: `tokenizer_config.json` and `special_tokens_map.json`. Of their settings only
 * those are read that change ids; what would give other ids than the tokenizer's own file is rejected with a specific error.
 *
 * Source: transformers 4.33.3 and 5, `PreTrainedTokenizerBase` and `GPTNeoXTokenizerFast`.
 */
import { OpenFlamingoError } from "../base/errors.js";
import {
  type Fault,
  faultList,
  listOf,
  nullable,
  object,
  only,
  optional,
  type Reader,
  readFields,
  recordOf,
  string,
} from "../base/fields.js";
import { isObject } from "../base/json.js";
import { quoted } from "../base/quoted.js";
import type { Tokenizer } from "./tokenizer.js";

export interface SettingsFiles {
  readonly specialTokensMap?: unknown;
  readonly tokenizerConfig?: unknown;
}

/** A token that a file names, with its place. */
interface NamedToken {
  readonly token: string;
  readonly file: string;
  readonly at: string;
}

export interface TokenizerSettings {
  /** The language model's own padding token. */
  readonly padding: string | undefined;
  /** All special tokens that the files name but padding: the tokenizer must have them. */
  readonly special: readonly NamedToken[];
  /** Whether a start or an end token is asked for. */
  readonly start: boolean;
  readonly end: boolean;
}

const off = only(undefined, null, false);

const tokenObject = object(
  { content: string, lstrip: off, rstrip: off, single_word: off },
  { ignored: () => true },
);

/** A token: a text, or an object that holds it as `content`. */
const token: Reader<string> = (value, at, report) =>
  isObject(value) ? tokenObject(value, at, report).content : string(value, at, report);

const oneToken = optional(nullable(token));
/** Versions up to 4.50 write a list, later ones also an object of names. */
const manyTokens: Reader<readonly string[] | null | undefined> = (value, at, report) =>
  isObject(value)
    ? [...recordOf(token)(value, at, report).values()]
    : optional(nullable(listOf(token)))(value, at, report);

const single = {
  bos_token: oneToken,
  eos_token: oneToken,
  unk_token: oneToken,
  sep_token: oneToken,
  cls_token: oneToken,
  mask_token: oneToken,
};
const names = Object.keys(single) as (keyof typeof single)[];

const table = {
  ...single,
  pad_token: oneToken,
  additional_special_tokens: manyTokens,
  extra_special_tokens: manyTokens,
  add_prefix_space: off,
  split_special_tokens: off,
  add_bos_token: only(undefined, null, false, true),
  add_eos_token: only(undefined, null, false, true),
  added_tokens_decoder: optional(recordOf(tokenObject)),
};
const settings = object(table, { ignored: () => true });

/** @throws OpenFlamingoError `tokenizer-invalid` */
export function readTokenizerSettings({
  specialTokensMap,
  tokenizerConfig,
}: SettingsFiles): TokenizerSettings {
  const config = readSettings("tokenizer_config.json", tokenizerConfig);
  const map = readSettings("special_tokens_map.json", specialTokensMap);
  // transformers reads the map last, so that it decides.
  return {
    padding: map.padding ?? config.padding,
    special: [...config.special, ...map.special],
    start: config.start,
    end: config.end,
  };
}

function readSettings(file: string, json: unknown): TokenizerSettings {
  const read = readFields(settings, json ?? {}, (faults) => wrong(file, faults));
  const named: NamedToken[] = names.flatMap((at) => (read[at] ? [{ token: read[at], file, at }] : []));
  for (const at of ["additional_special_tokens", "extra_special_tokens"] as const) {
    named.push(...(read[at] ?? []).map((token) => ({ token, file, at })));
  }
  for (const { content } of read.added_tokens_decoder?.values() ?? []) {
    named.push({ token: content, file, at: "added_tokens_decoder" });
  }
  const asked = (key: string) => isObject(json) && json[key] === true;
  return {
    padding: read.pad_token || undefined,
    special: named,
    start: asked("add_bos_token"),
    end: asked("add_eos_token"),
  };
}

/**
 * Whether the tokenizer is what the files beside it say.
 *
 * @param added tokens that are added whatever the files say
 * @throws OpenFlamingoError `tokenizer-invalid`: transformers would add a token, or put one around texts, that
 *   `tokenizer.json` has not
 */
export function requireSettings(
  { special, start, end }: TokenizerSettings,
  tokenizer: Tokenizer,
  added: readonly string[],
): void {
  for (const { token, file, at } of special) {
    if (added.includes(token) || tokenizer.idOf(token) !== undefined) continue;
    const what = `names ${quoted(token)}, which tokenizer.json lacks`;
    throw wrong(file, [{ at, what, unsupported: true }]);
  }
  const around = [
    ["add_bos_token", start, tokenizer.start],
    ["add_eos_token", end, tokenizer.end],
  ] as const;
  for (const [at, isAsked, ids] of around) {
    if (!isAsked || ids.length > 0) continue;
    const what = "is true, and the post_processor of tokenizer.json adds no such token";
    throw wrong("tokenizer_config.json", [{ at, what, unsupported: true }]);
  }
}

const wrong = (file: string, faults: readonly Fault[]): OpenFlamingoError =>
  new OpenFlamingoError("tokenizer-invalid", `${file}: ${faultList(faults)}`, {
    hint: "Take all files of the tokenizer from one place, as they were saved together.",
  });
