/**
 * Reads a `tokenizer.json` into a typed description: byte-level BPE in the forms of GPT-NeoX, GPT-2 and CLIP.
 *
 * What is not known here is rejected, since a part ignored in silence means other ids. No regular expression of
 * the file is ever run: known ones stand for our own.
 * Source: the files of GPT-NeoX-20B and CLIP, and what the Rust library tokenizers 0.13.3 does with them.
 */
import { byteAlphabet, isUtf8Byte } from "./byteAlphabet.js";
import type { Normalizer } from "./normalize.js";
import { fields, list, object, only, part, reject, sequence, show, string } from "./strictJson.js";

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
  /** The ids that the model wants around every text; only CLIP has any. */
  readonly start: readonly number[];
  readonly end: readonly number[];
}

// `\s` of a file is Unicode's White_Space: it has U+0085 and lacks U+FEFF, the reverse of JavaScript's `\s`.

const knownReplacements = new Map([[String.raw`\s+`, /\p{White_Space}+/gu]]);

const clipWords = /'s|'t|'re|'ve|'m|'ll|'d|\p{L}+|\p{N}|[^\p{White_Space}\p{L}\p{N}]+/gu;
/** CLIP's, as transformers converts it and as OpenAI's repository on the hub has it. */
const knownSplits = new Map([
  [String.raw`'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+`, clipWords],
  [
    String.raw`<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+`,
    new RegExp(String.raw`<\|startoftext\|>|<\|endoftext\|>|${clipWords.source}`, "gu"),
  ],
]);

/** The expression that `ByteLevel` brings along. */
const byteLevelWords =
  /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\p{White_Space}\p{L}\p{N}]+|\p{White_Space}+(?!\P{White_Space})|\p{White_Space}+/gu;

const byteLevelKeys = ["add_prefix_space", "trim_offsets", "use_regex"] as const;

/**
 * Checks a parsed `tokenizer.json` and describes it.
 *
 * @param json what `JSON.parse` made of the file
 * @param further special tokens to append: each takes the next free id, or becomes special where the file has it
 * @throws OpenFlamingoError `tokenizer-invalid`, naming the place in the file
 */
export function parseTokenizerJson(json: unknown, further: readonly string[]): TokenizerDescription {
  const file = fields(json, "the file", [
    "version",
    "truncation", // this and padding: the reference implementation sets them anew for every call
    "padding",
    "added_tokens",
    "normalizer",
    "pre_tokenizer",
    "post_processor",
    "decoder",
    "model",
  ]);
  only(file.version, "version", ["1.0"]);
  part(file.decoder, "decoder", { ByteLevel: byteLevelKeys });
  const model = part(file.model, "model", {
    BPE: [
      "dropout",
      "unk_token", // this and fuse_unk: no byte is unknown
      "fuse_unk",
      "continuing_subword_prefix",
      "end_of_word_suffix",
      "byte_fallback",
      "ignore_merges",
      "vocab",
      "merges",
    ],
  });
  only(model.dropout, "model.dropout", [undefined, null, 0]);
  only(model.continuing_subword_prefix, "model.continuing_subword_prefix", [undefined, null, ""]);
  only(model.byte_fallback, "model.byte_fallback", [undefined, false]);
  only(model.ignore_merges, "model.ignore_merges", [undefined, false]);
  const endOfWordSuffix =
    only(model.end_of_word_suffix, "model.end_of_word_suffix", [undefined, null, "", "</w>"]) || "";

  const inFile = list(file.added_tokens, "added_tokens").map(readAddedToken);
  const { tokens, ids } = readVocabulary(model.vocab, inFile);
  const added = inFile.filter(({ content }) => !further.includes(content));
  for (const content of new Set(further)) {
    const id = ids.get(addedContent(content, "token to add")) ?? tokens.push(content) - 1;
    ids.set(content, id);
    added.push({ id, content, special: true, normalized: false });
  }

  const letters = letterIds(ids, "");
  const lastLetters = letterIds(ids, endOfWordSuffix);
  const merges = readMerges(model.merges, ids);
  // Otherwise a typed `<image>` could not be kept text.
  const special = new Map(added.filter((token) => token.special).map(({ id, content }) => [id, content]));
  const isPlain = (id: number) => special.has(id);
  const plain =
    letters.find(isPlain) ?? lastLetters.find(isPlain) ?? merges.find((id, i) => i % 3 === 2 && isPlain(id));
  if (plain !== undefined) reject("model", `makes special token ${show(special.get(plain))} of plain text`);

  return {
    tokens,
    ids,
    added,
    normalizers: readNormalizers(file.normalizer),
    splits: readSplits(file.pre_tokenizer),
    letters,
    lastLetters,
    merges,
    endOfWordSuffix,
    ...readStartAndEnd(file.post_processor, ids),
  };
}

function readAddedToken(value: unknown, index: number): AddedToken {
  const where = `added_tokens[${index}]`;
  const flags = ["single_word", "lstrip", "rstrip"] as const;
  const token = fields(value, where, ["id", "content", "normalized", "special", ...flags]);
  for (const flag of flags) only(token[flag], `${where}.${flag}`, [false]);
  return {
    id: token.id as number, // checked with those of the vocabulary
    content: addedContent(token.content, `${where}.content`),
    special: only(token.special, `${where}.special`, [true, false]),
    normalized: only(token.normalized, `${where}.normalized`, [true, false]),
  };
}

/** Every added token becomes a part of one regular expression: nothing there may be empty or of any length. */
function addedContent(value: unknown, where: string): string {
  const content = string(value, where);
  if (content === "" || content.length > 1000) {
    reject(where, `has ${content.length} characters; 1 to 1000 are read`);
  }
  return content;
}

/** All tokens of the file. Their ids must be 0, 1, 2, … without a gap: the next free id is their number. */
function readVocabulary(
  value: unknown,
  added: readonly AddedToken[],
): { tokens: string[]; ids: Map<string, number> } {
  const vocab = object(value, "model.vocab");
  const names = Object.keys(vocab);
  const size = names.length + added.filter(({ content }) => !Object.hasOwn(vocab, content)).length;
  const tokens = new Array<string>(size);
  const ids = new Map<string, number>();
  const enter = (token: string, id: unknown, where: string) => {
    if (typeof id !== "number" || !Number.isInteger(id) || id < 0 || id >= size) {
      const range = `the ids of ${size} tokens are 0 to ${size - 1}`;
      reject(where, `gives ${show(token)} the id ${show(id)}; ${range}`);
    }
    const owner = tokens[id];
    if (owner !== undefined) reject(where, `gives ${show(token)} the id ${id}, which ${show(owner)} has`);
    tokens[id] = token;
    ids.set(token, id);
  };
  for (const token of names) enter(token, vocab[token], "model.vocab");

  const seen = new Set<string>();
  added.forEach(({ id, content }, index) => {
    const where = `added_tokens[${index}]`;
    if (seen.has(content)) reject(where, `has ${show(content)} a second time`);
    seen.add(content);
    const known = ids.get(content);
    if (known === undefined) enter(content, id, where);
    else if (known !== id) reject(where, `gives ${show(content)} the id ${show(id)}, model.vocab ${known}`);
  });
  return { tokens, ids };
}

function letterIds(ids: ReadonlyMap<string, number>, suffix: string): Int32Array {
  return Int32Array.from(byteAlphabet(), (letter, byte) => {
    const token = letter + suffix;
    const id = ids.get(token);
    if (id === undefined && isUtf8Byte(byte)) reject("model.vocab", `lacks the byte ${show(token)}`);
    return id ?? -1;
  });
}

/** Merges are written as "a b" or, by newer versions, as ["a", "b"]. */
function readMerges(value: unknown, ids: ReadonlyMap<string, number>): Int32Array {
  const merges = list(value, "model.merges");
  const result = new Int32Array(3 * merges.length);
  for (let index = 0; index < merges.length; index++) {
    const merge = merges[index];
    const pair: unknown = typeof merge === "string" ? merge.split(" ") : merge;
    const [left, right] = Array.isArray(pair) && pair.length === 2 ? pair : [];
    if (typeof left !== "string" || typeof right !== "string") {
      reject(`model.merges[${index}]`, `is ${show(merge)}, not a pair of tokens`);
    }
    const idOf = (token: string) =>
      ids.get(token) ?? reject(`model.merges[${index}]`, `needs ${show(token)}, which model.vocab lacks`);
    result.set([idOf(left), idOf(right), idOf(left + right)], 3 * index);
  }
  return result;
}

function readNormalizers(value: unknown): Normalizer[] {
  if (value === null) return [];
  const kinds = { NFC: [], Lowercase: [], Replace: ["pattern", "content"] } as const;
  return sequence(value, "normalizer", "normalizers", kinds).map((normalizer) => {
    if (normalizer.type === "NFC") return { kind: "nfc" };
    if (normalizer.type === "Lowercase") return { kind: "lowercase" };
    return {
      kind: "replace",
      pattern: ourExpression(normalizer.pattern, `${normalizer.where}.pattern`, knownReplacements),
      content: string(normalizer.content, `${normalizer.where}.content`),
    };
  });
}

/** Any number of `Split`, then the `ByteLevel` whose alphabet the vocabulary is written in. */
function readSplits(value: unknown): RegExp[] {
  const kinds = { Split: ["pattern", "behavior", "invert"], ByteLevel: byteLevelKeys } as const;
  const parts = sequence(value, "pre_tokenizer", "pretokenizers", kinds);
  if (parts.findIndex(({ type }) => type === "ByteLevel") !== parts.length - 1 || parts.length === 0) {
    reject("pre_tokenizer", "does not end in its one ByteLevel");
  }
  return parts.flatMap((split) => {
    if (split.type === "Split") {
      only(split.behavior, `${split.where}.behavior`, ["Removed"]);
      only(split.invert, `${split.where}.invert`, [true]); // what the expression matches is kept
      return [ourExpression(split.pattern, `${split.where}.pattern`, knownSplits)];
    }
    only(split.add_prefix_space, `${split.where}.add_prefix_space`, [false]);
    const splitting = only(split.use_regex, `${split.where}.use_regex`, [undefined, true, false]) ?? true;
    return splitting ? [byteLevelWords] : [];
  });
}

function ourExpression(value: unknown, where: string, known: ReadonlyMap<string, RegExp>): RegExp {
  const pattern = fields(value, where, ["Regex"]).Regex;
  return known.get(only(pattern, `${where}.Regex`, [...known.keys()]))!;
}

function readStartAndEnd(
  value: unknown,
  ids: ReadonlyMap<string, number>,
): { start: number[]; end: number[] } {
  if (value === null) return { start: [], end: [] };
  const processor = part(value, "post_processor", {
    ByteLevel: byteLevelKeys, // mends offsets only
    RobertaProcessing: ["sep", "cls", "trim_offsets", "add_prefix_space"],
  });
  if (processor.type === "ByteLevel") return { start: [], end: [] };
  const read = (key: "cls" | "sep"): number[] => {
    const where = `post_processor.${key}`;
    const [token, id] = list(processor[key], where);
    if (typeof token !== "string" || typeof id !== "number" || ids.get(token) !== id) {
      reject(where, `is ${show(token)} with the id ${show(id)}, which the vocabulary lacks`);
    }
    return [id];
  };
  return { start: read("cls"), end: read("sep") };
}
