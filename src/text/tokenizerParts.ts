/**
 * The parts of a `tokenizer.json` around its vocabulary: what is done to the text before words are encoded, and what is
 * put around their ids. No regular expression of the file is ever run: known ones stand for our own.
 *
 * Source: the files of GPT-NeoX-20B and CLIP, as their authors and as transformers 4 and 5 write them.
 */
import {
  anything,
  byType,
  converted,
  type Fault,
  integer,
  jsonObject,
  listOf,
  nullable,
  object,
  oneOf,
  optional,
  type Reader,
  recordOf,
  string,
} from "../base/fields.js";
import type { Normalizer } from "./normalize.js";

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

/** In a decoder and a post-processor these change no ids and no text. */
export const byteLevelKeys = { add_prefix_space: anything, trim_offsets: anything, use_regex: anything };

const expressionOf = (known: ReadonlyMap<string, RegExp>): Reader<RegExp> =>
  converted(object({ Regex: oneOf(...known.keys()) }), ({ Regex }) => known.get(Regex)!);

/** One part, or the parts of a `Sequence`, which holds no further `Sequence`. */
const partsOf =
  <T>(key: string, part: Reader<T>): Reader<readonly T[]> =>
  (value, at, report) => {
    const isSequence = jsonObject(value, at, () => {})?.type === "Sequence";
    if (!isSequence) return [part(value, at, report)];
    const table = { type: anything, [key]: listOf(part) };
    return object(table)(value, at, report)[key] as readonly T[];
  };

const normalizer = converted(
  byType({
    NFC: {},
    Lowercase: {},
    Replace: { pattern: expressionOf(knownReplacements), content: string },
  }),
  (part): Normalizer => {
    if (part.type === "NFC") return { kind: "nfc" };
    if (part.type === "Lowercase") return { kind: "lowercase" };
    return { kind: "replace", pattern: part.pattern, content: part.content };
  },
);

/** Applied one after the other. */
export const normalizers: Reader<readonly Normalizer[]> = converted(
  nullable(partsOf("normalizers", normalizer)),
  (parts) => parts ?? [],
);

const split = byType({
  Split: {
    pattern: expressionOf(knownSplits),
    behavior: oneOf("Removed"),
    invert: oneOf(true), // what the expression matches is kept
  },
  ByteLevel: {
    add_prefix_space: oneOf(false),
    trim_offsets: anything,
    use_regex: oneOf(undefined, true, false),
  },
});

/** Any number of `Split`, then the `ByteLevel` whose alphabet the vocabulary is written in. */
export const splits: Reader<readonly RegExp[]> = (value, at, report) =>
  converted(partsOf("pretokenizers", split), (parts) => {
    const endsIn = parts.findIndex(({ type }) => type === "ByteLevel");
    if (endsIn !== parts.length - 1 || parts.length === 0) {
      report({ at, what: "does not end in its one ByteLevel", unsupported: true });
    }
    return parts.flatMap((part) => {
      if (part.type === "Split") return [part.pattern];
      return (part.use_regex ?? true) ? [byteLevelWords] : [];
    });
  })(value, at, report);

/** A token that stands around a text, with the id that the file gives to it. */
export interface TokenAround {
  readonly token: string;
  readonly id: number;
  readonly at: string;
}

export interface Around {
  readonly start: readonly TokenAround[];
  readonly end: readonly TokenAround[];
}

const nothing: Around = { start: [], end: [] };

const id = integer(0, 2 ** 31);

/** `["<|endoftext|>", 7]` */
const pair: Reader<readonly TokenAround[]> = (value, at, report) =>
  converted(listOf(anything, 2, 2), (items) => [
    { token: string(items[0], `${at}[0]`, report), id: id(items[1], `${at}[1]`, report), at },
  ])(value, at, report);

const piece = object({
  Sequence: optional(object({ id: oneOf("A"), type_id: anything })),
  SpecialToken: optional(object({ id: string, type_id: anything })),
});

const template = {
  single: listOf(piece),
  pair: anything, // for two texts at once, which are never encoded
  special_tokens: recordOf(object({ id: string, ids: listOf(id), tokens: listOf(string) })),
};

const postProcessor = byType({
  ByteLevel: byteLevelKeys, // mends offsets only
  RobertaProcessing: { sep: pair, cls: pair, trim_offsets: anything, add_prefix_space: anything },
  TemplateProcessing: template,
});

/** What the model wants around every text. */
export const around: Reader<Around> = (value, at, report) =>
  converted(nullable(partsOf("processors", postProcessor)), (parts) => {
    const found = (parts ?? []).flatMap((part): Around[] => {
      if (part.type === "ByteLevel") return [];
      if (part.type === "RobertaProcessing") return [{ start: part.cls, end: part.sep }];
      return [aroundTemplate(part, at, report)];
    });
    const adding = found.filter(({ start, end }) => start.length + end.length > 0);
    if (adding.length > 1) report({ at, what: "adds tokens twice", unsupported: true });
    return adding[0] ?? nothing;
  })(value, at, report);

/** A template says what stands around the text `A`: the tokens before it, and those behind. */
function aroundTemplate(
  {
    single,
    special_tokens,
  }: {
    readonly single: readonly ReturnType<typeof piece>[];
    readonly special_tokens: ReturnType<typeof template.special_tokens>;
  },
  at: string,
  report: (fault: Fault) => void,
): Around {
  const texts = single.filter(({ Sequence }) => Sequence);
  const wrong = single.some(({ Sequence, SpecialToken }) => !Sequence === !SpecialToken);
  if (wrong || texts.length !== 1) {
    report({ at: `${at}.single`, what: "is not the text once, with tokens around it", unsupported: true });
    return nothing;
  }
  const tokens = (pieces: readonly ReturnType<typeof piece>[]) =>
    pieces.flatMap(({ SpecialToken }) => {
      const token = special_tokens.get(SpecialToken!.id);
      if (token && token.ids.length === token.tokens.length) {
        const place = `${at}.special_tokens`;
        return token.ids.map((id, i) => ({ token: token.tokens[i]!, id, at: place }));
      }
      report({ at: `${at}.single`, what: "has a token that special_tokens lacks", unsupported: false });
      return [];
    });
  const place = single.indexOf(texts[0]!);
  return { start: tokens(single.slice(0, place)), end: tokens(single.slice(place + 1)) };
}
