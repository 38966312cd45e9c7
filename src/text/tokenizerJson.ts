/**
 * Reads a `tokenizer.json` into a typed description: byte-level BPE in the forms of GPT-NeoX, GPT-2 and CLIP.
 *
 * What is not known here is rejected, since a part that is ignored means other ids.
 * Source: the files of GPT-NeoX-20B and CLIP, and what the Rust library tokenizers 0.13.3 does with them.
 */
import { OpenFlamingoError } from "../base/errors.js";
import {
  anything,
  boolean,
  byType,
  type Fault,
  faultList,
  jsonObject,
  listOf,
  object,
  oneOf,
  type Reader,
  readFields,
} from "../base/fields.js";
import type { JsonObject } from "../base/json.js";
import { quoted } from "../base/quoted.js";
import { byteAlphabet, isUtf8Byte } from "./byteAlphabet.js";
import type { Normalizer } from "./normalize.js";
import { around, byteLevelKeys, normalizers, splits, type TokenAround } from "./tokenizerParts.js";

/** A token that is cut out of the text as a whole, before words are looked for. */
export interface AddedToken {
  readonly id: number;
  readonly content: string;
  /** Steers the model and is no text, as `<image>`; a run of spaces is added but not special. */
  readonly special: boolean;
  /** Looked for in normalized text (and normalized itself) instead of in the raw text. */
  readonly normalized: boolean;
}

export interface TokenizerDescription {
  /** Every token, by its id: the model's and the added ones. */
  readonly tokens: readonly string[];
  readonly ids: ReadonlyMap<string, number>;
  readonly added: readonly AddedToken[];
  readonly normalizers: readonly Normalizer[];
  /** Applied one after the other: the matches are kept, what lies between them falls away. */
  readonly splits: readonly RegExp[];
  /** The token of each byte, and of each byte at a word's end; -1 for bytes that UTF-8 never writes. */
  readonly letters: Int32Array;
  readonly lastLetters: Int32Array;
  /** Left id, right id, merged id of one merge after the other, the most important first. */
  readonly merges: Int32Array;
  /** What CLIP writes at the end of every word. */
  readonly endOfWordSuffix: "" | "</w>";
  /** The ids that the model wants around every text; of the models here only CLIP has any. */
  readonly start: readonly number[];
  readonly end: readonly number[];
}

/** Every added token becomes a part of one regular expression: nothing there may be empty or of any length. */
const addedContent: Reader<string> = (value, at, report) => {
  const isText = typeof value === "string";
  if (isText && value !== "" && value.length <= 1000) return value;
  const what = isText
    ? `has ${value.length} characters; 1 to 1000 are read`
    : `is ${quoted(value)}; it must be a string`;
  report({ at, what, unsupported: false });
  return "";
};

const addedToken = object({
  id: anything, // checked with those of the vocabulary
  content: addedContent,
  single_word: oneOf(false),
  lstrip: oneOf(false),
  rstrip: oneOf(false),
  special: boolean,
  normalized: boolean,
});

const file = object({
  version: oneOf("1.0"),
  truncation: anything, // this and padding: the reference sets them anew for every call
  padding: anything,
  added_tokens: listOf(addedToken),
  normalizer: normalizers,
  pre_tokenizer: splits,
  post_processor: around,
  decoder: byType({ ByteLevel: byteLevelKeys }),
  model: byType({
    BPE: {
      dropout: oneOf(undefined, null, 0),
      unk_token: anything, // this and fuse_unk: no byte is unknown
      fuse_unk: anything,
      continuing_subword_prefix: oneOf(undefined, null, ""),
      end_of_word_suffix: oneOf(undefined, null, "", "</w>"),
      byte_fallback: oneOf(undefined, false),
      ignore_merges: oneOf(undefined, false),
      vocab: jsonObject,
      merges: listOf(anything),
    },
  }),
});

const wrongFile = (faults: readonly Fault[]): OpenFlamingoError =>
  new OpenFlamingoError("tokenizer-invalid", `tokenizer.json: ${faultList(faults)}`, {
    hint: "Take the tokenizer.json of a GPT-NeoX, MPT, GPT-2 or CLIP model as its authors published it.",
  });

function reject(at: string, what: string): never {
  throw wrongFile([{ at, what, unsupported: false }]);
}

/**
 * Checks a parsed `tokenizer.json` and describes it.
 *
 * @param json what `JSON.parse` made of the file
 * @param further special tokens to append: each takes the next free id, or becomes special where the file has it
 * @throws OpenFlamingoError `tokenizer-invalid`, naming the place in the file
 */
export function parseTokenizerJson(json: unknown, further: readonly string[]): TokenizerDescription {
  const { added_tokens, normalizer, pre_tokenizer, post_processor, model } = readFields(
    file,
    json,
    wrongFile,
  );
  const endOfWordSuffix = model.end_of_word_suffix || "";
  const { tokens, ids } = readVocabulary(model.vocab, added_tokens);
  const added = added_tokens
    .filter(({ content }) => !further.includes(content))
    .map(({ content, special, normalized }) => ({ id: ids.get(content)!, content, special, normalized }));
  for (const token of new Set(further)) {
    const content = readFields(addedContent, token, wrongFile, "token to add");
    const id = ids.get(content) ?? tokens.push(content) - 1;
    ids.set(content, id);
    added.push({ id, content, special: true, normalized: false });
  }
  const bpe = {
    letters: letterIds(ids, ""),
    lastLetters: letterIds(ids, endOfWordSuffix),
    merges: readMerges(model.merges, ids),
  };
  rejectSpecialOfText(added, bpe);
  return {
    tokens,
    ids,
    added,
    normalizers: normalizer,
    splits: pre_tokenizer,
    ...bpe,
    endOfWordSuffix,
    start: post_processor.start.map((token) => idAround(token, ids)),
    end: post_processor.end.map((token) => idAround(token, ids)),
  };
}

/** Otherwise a typed `<image>` could not be kept text. */
function rejectSpecialOfText(
  added: readonly AddedToken[],
  { letters, lastLetters, merges }: Pick<TokenizerDescription, "letters" | "lastLetters" | "merges">,
): void {
  const special = new Map(added.filter((token) => token.special).map(({ id, content }) => [id, content]));
  const isPlain = (id: number) => special.has(id);
  const plain =
    letters.find(isPlain) ?? lastLetters.find(isPlain) ?? merges.find((id, i) => i % 3 === 2 && isPlain(id));
  if (plain !== undefined) reject("model", `makes special token ${quoted(special.get(plain))} of plain text`);
}

function idAround({ token, id, at }: TokenAround, ids: ReadonlyMap<string, number>): number {
  if (ids.get(token) === id) return id;
  return reject(at, `is ${quoted(token)} with the id ${id}, which the vocabulary lacks`);
}

/** All tokens of the file. Their ids must be 0, 1, 2, … without a gap: the next free id is their number. */
function readVocabulary(
  vocab: JsonObject,
  added: readonly { readonly id: unknown; readonly content: string }[],
): { tokens: string[]; ids: Map<string, number> } {
  const names = Object.keys(vocab);
  const size = names.length + added.filter(({ content }) => !Object.hasOwn(vocab, content)).length;
  const tokens = new Array<string>(size);
  const ids = new Map<string, number>();
  const enter = (token: string, id: unknown, where: string) => {
    if (typeof id !== "number" || !Number.isInteger(id) || id < 0 || id >= size) {
      const range = `the ids of ${size} tokens are 0 to ${size - 1}`;
      reject(where, `gives ${quoted(token)} the id ${quoted(id)}; ${range}`);
    }
    const owner = tokens[id];
    if (owner !== undefined) reject(where, `gives ${quoted(token)} the id ${id}, which ${quoted(owner)} has`);
    tokens[id] = token;
    ids.set(token, id);
  };
  for (const token of names) enter(token, vocab[token], "model.vocab");

  const seen = new Set<string>();
  added.forEach(({ id, content }, index) => {
    const where = `added_tokens[${index}]`;
    if (seen.has(content)) reject(where, `has ${quoted(content)} a second time`);
    seen.add(content);
    const known = ids.get(content);
    if (known === undefined) enter(content, id, where);
    else if (known !== id)
      reject(where, `gives ${quoted(content)} the id ${quoted(id)}, model.vocab ${known}`);
  });
  return { tokens, ids };
}

function letterIds(ids: ReadonlyMap<string, number>, suffix: string): Int32Array {
  return Int32Array.from(byteAlphabet(), (letter, byte) => {
    const token = letter + suffix;
    const id = ids.get(token);
    if (id === undefined && isUtf8Byte(byte)) reject("model.vocab", `lacks the byte ${quoted(token)}`);
    return id ?? -1;
  });
}

/** Merges are written as "a b" or, by newer versions, as ["a", "b"]. */
function readMerges(merges: readonly unknown[], ids: ReadonlyMap<string, number>): Int32Array {
  const result = new Int32Array(3 * merges.length);
  for (let index = 0; index < merges.length; index++) {
    const merge = merges[index];
    const pair: unknown = typeof merge === "string" ? merge.split(" ") : merge;
    const [left, right] = Array.isArray(pair) && pair.length === 2 ? pair : [];
    if (typeof left !== "string" || typeof right !== "string") {
      reject(`model.merges[${index}]`, `is ${quoted(merge)}, not a pair of tokens`);
    }
    const idOf = (token: string) =>
      ids.get(token) ?? reject(`model.merges[${index}]`, `needs ${quoted(token)}, which model.vocab lacks`);
    result.set([idOf(left), idOf(right), idOf(left + right)], 3 * index);
  }
  return result;
}
