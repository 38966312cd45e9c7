import { expect, test } from "vitest";
import { OpenFlamingoError } from "../../src/base/errors.js";
import { createTokenizer } from "../../src/text/tokenizer.js";
import { rejected } from "../reliability.js";
import { readJson } from "./files.js";

type Fields = Record<string, unknown>;
const neox = () => readJson<Fields>("tokenizer/neox.tokenizer.json");
const clip = () => readJson<Fields>("tokenizer/clip.tokenizer.json");

/** The file with other values at some places, e.g. `model.merges.3`; `undefined` takes the key away. */
function damaged(values: Fields, from = neox): Fields {
  const file = from();
  for (const [path, value] of Object.entries(values)) {
    const keys = path.split(".");
    const last = keys.pop()!;
    const parent = keys.reduce((object, key) => object[key] as Fields, file);
    if (value === undefined) delete parent[last];
    else parent[last] = value;
  }
  return file;
}
const clipDamaged = (values: Fields) => damaged(values, clip);

const flags = { single_word: false, lstrip: false, rstrip: false, normalized: false, special: true };
const inNormalizers = "normalizer.normalizers.1";
const inSplits = "pre_tokenizer.pretokenizers";
const byteLevel = { type: "ByteLevel", add_prefix_space: false };

const cases: [what: string, json: unknown, message: string][] = [
  ["null", null, "the file is null; it must be an object"],
  ["a list", [], "the file is []; it must be an object"],
  ["a text", "{}", 'the file is "{}"; it must be an object'],
  ["an empty object", {}, 'version is missing; it must be "1.0"'],
  ["another version", damaged({ version: "2.0" }), 'version is "2.0"; it must be "1.0"'],
  ["an unknown key", damaged({ speed: 1 }), '"speed" is no key of this file that is known'],

  ["no model", damaged({ model: undefined }), "model is missing; it must be an object"],
  ["another model", damaged({ "model.type": "Unigram" }), 'model.type is "Unigram"; it must be "BPE"'],
  ["a property of all objects as type", damaged({ "model.type": "toString" }), 'model.type is "toString"'],
  ["dropout", damaged({ "model.dropout": 0.1 }), "model.dropout is 0.1; it must be absent or null or 0"],
  ["byte fallback", damaged({ "model.byte_fallback": true }), "model.byte_fallback is true"],
  ["ignored merges", damaged({ "model.ignore_merges": true }), "model.ignore_merges is true"],
  ["a prefix", damaged({ "model.continuing_subword_prefix": "#" }), 'continuing_subword_prefix is "#"'],
  ["an unknown suffix", damaged({ "model.end_of_word_suffix": "_" }), 'model.end_of_word_suffix is "_"'],
  ["a suffix of no letter", damaged({ "model.end_of_word_suffix": "</w>" }), 'lacks the byte "Ā</w>"'],

  ["no vocabulary", damaged({ "model.vocab": undefined }), "model.vocab is missing; it must be an object"],
  ["a missing byte", damaged({ "model.vocab.a": undefined, "model.vocab.zzz": 66 }), 'lacks the byte "a"'],
  ["an id that is a text", damaged({ "model.vocab.a": "66" }), 'model.vocab gives "a" the id "66"'],
  ["a broken id", damaged({ "model.vocab.a": 66.5 }), 'model.vocab gives "a" the id 66.5'],
  ["a negative id", damaged({ "model.vocab.a": -1 }), 'model.vocab gives "a" the id -1'],
  [
    "an id beyond range",
    damaged({ "model.vocab.a": 4e9 }),
    'model.vocab gives "a" the id 4000000000; the ids of 1092 tokens are 0 to 1091',
  ],
  ["an id twice", damaged({ "model.vocab.b": 66 }), 'model.vocab gives "b" the id 66, which "a" has'],

  ["no merges", damaged({ "model.merges": undefined }), "model.merges is missing; it must be a list"],
  ["a merge of three", damaged({ "model.merges.3": "a b c" }), 'model.merges[3] is "a b c", not a pair'],
  ["a merge of one", damaged({ "model.merges.3": ["a"] }), 'model.merges[3] is ["a"], not a pair'],
  ["a merge of numbers", damaged({ "model.merges.3": [1, 2] }), "model.merges[3] is [1,2], not a pair"],
  ["an unknown part", damaged({ "model.merges.3": "qqq a" }), 'model.merges[3] needs "qqq", which'],
  ["an unknown whole", damaged({ "model.merges.3": "ĉ ĉ" }), 'model.merges[3] needs "ĉĉ", which model.vocab'],
  [
    "a special token made by merges",
    damaged({ "added_tokens.25": { ...flags, id: 260, content: "he" } }),
    'model makes special token "he" of plain text',
  ],
  [
    "a special token of one letter",
    clipDamaged({ "added_tokens.2": { ...flags, id: 64, content: "a" } }),
    'model makes special token "a" of plain text',
  ],
  [
    "a special token of one last letter",
    clipDamaged({ "added_tokens.2": { ...flags, id: 320, content: "a</w>" } }),
    'model makes special token "a</w>" of plain text',
  ],

  ["no added tokens", damaged({ added_tokens: undefined }), "added_tokens is missing; it must be a list"],
  ["an empty token", damaged({ "added_tokens.0.content": "" }), "added_tokens[0].content has 0 characters"],
  [
    "a token of any length",
    damaged({ "added_tokens.24.content": " ".repeat(1001) }),
    "has 1001 characters; 1 to",
  ],
  [
    "a number as token",
    damaged({ "added_tokens.0.content": 7 }),
    "added_tokens[0].content is 7; it must be a string",
  ],
  ["stripping on the left", damaged({ "added_tokens.1.lstrip": true }), "added_tokens[1].lstrip is true"],
  ["stripping on the right", damaged({ "added_tokens.1.rstrip": true }), "added_tokens[1].rstrip is true"],
  ["a single word", damaged({ "added_tokens.1.single_word": true }), "added_tokens[1].single_word is true"],
  ["a flag that is none", damaged({ "added_tokens.1.special": 1 }), "added_tokens[1].special is 1"],
  [
    "a flag less",
    damaged({ "added_tokens.1.normalized": undefined }),
    "added_tokens[1].normalized is missing",
  ],
  ["an unknown flag", damaged({ "added_tokens.1.loud": true }), '"added_tokens[1].loud" is no key'],
  [
    "an added token twice",
    damaged({ "added_tokens.25": { ...flags, id: 0, content: "<|endoftext|>" } }),
    'added_tokens[25] has "<|endoftext|>" a second time',
  ],
  ["two ids of a token", damaged({ "added_tokens.0.id": 1 }), '"<|endoftext|>" the id 1, model.vocab 0'],
  ["an added id taken", damaged({ "added_tokens.24.id": 66 }), 'gives "  " the id 66, which "a" has'],
  [
    "an added id too high",
    damaged({ "added_tokens.24.id": 1092 }),
    'gives "  " the id 1092; the ids of 1092',
  ],
  ["no added id", damaged({ "added_tokens.24.id": undefined }), 'added_tokens[24] gives "  " the id absent'],

  [
    "an unknown normalizer",
    damaged({ normalizer: { type: "Nmt" } }),
    'normalizer.type is "Nmt"; it must be "NFC" or',
  ],
  ["one in a sequence", clipDamaged({ [`${inNormalizers}.type`]: "Nmt" }), 'normalizers[1].type is "Nmt"'],
  [
    "a sequence in a sequence",
    clipDamaged({ [inNormalizers]: { type: "Sequence", normalizers: [] } }),
    'normalizer.normalizers[1].type is "Sequence"',
  ],
  [
    "an unknown expression",
    clipDamaged({ [`${inNormalizers}.pattern.Regex`]: "(a+)+$" }),
    'normalizer.normalizers[1].pattern.Regex is "(a+)+$"',
  ],
  [
    "a literal to replace",
    clipDamaged({ [`${inNormalizers}.pattern`]: { String: "a" } }),
    '"normalizer.normalizers[1].pattern.String" is no key',
  ],
  [
    "a number to put in",
    clipDamaged({ [`${inNormalizers}.content`]: 1 }),
    "normalizers[1].content is 1; it must",
  ],
  [
    "an unknown split",
    clipDamaged({ [`${inSplits}.0.pattern.Regex`]: "." }),
    '[0].pattern.Regex is "."; it must',
  ],
  ["kept separators", clipDamaged({ [`${inSplits}.0.behavior`]: "Isolated" }), '[0].behavior is "Isolated"'],
  ["removed matches", clipDamaged({ [`${inSplits}.0.invert`]: false }), "pretokenizers[0].invert is false"],
  ["no pre-tokenizer", damaged({ pre_tokenizer: null }), "pre_tokenizer is null; it must be an object"],
  [
    "a prefix space",
    damaged({ "pre_tokenizer.add_prefix_space": true }),
    "add_prefix_space is true; it must be false",
  ],
  ["a flag for splitting", damaged({ "pre_tokenizer.use_regex": "no" }), 'pre_tokenizer.use_regex is "no"'],
  ["two ByteLevel", clipDamaged({ [`${inSplits}.0`]: byteLevel }), "pre_tokenizer does not end in its one"],
  ["no ByteLevel", clipDamaged({ [`${inSplits}.length`]: 1 }), "pre_tokenizer does not end in its one"],
  ["an empty sequence", clipDamaged({ [`${inSplits}.length`]: 0 }), "pre_tokenizer does not end in its one"],
  [
    "another decoder",
    damaged({ "decoder.type": "Metaspace" }),
    'decoder.type is "Metaspace"; it must be "ByteLevel"',
  ],
  ["no decoder", damaged({ decoder: null }), "decoder is null; it must be an object"],
  ["an unknown post-processor", damaged({ "post_processor.type": "X" }), 'post_processor.type is "X"'],
  [
    "an unknown end token",
    clipDamaged({ "post_processor.sep.1": 7 }),
    'post_processor.sep is "<|endoftext|>" with',
  ],
];

test.each(cases)("%s is rejected with a specific error", (what, json, message) => {
  const rejection = rejectionOf(() => createTokenizer(json));
  expect(rejection.code).toBe("tokenizer-invalid");
  expect(rejection.message).toContain(message);
  expect(rejection.message).toMatch(/^tokenizer\.json: /);
  expect(rejection.hint).toBeTruthy();
  rejected("Tokenizers", what, "tokenizer-invalid");
});

function rejectionOf(act: () => unknown): OpenFlamingoError {
  try {
    act();
  } catch (error) {
    if (error instanceof OpenFlamingoError) return error;
    throw error;
  }
  throw new Error("nothing was rejected");
}

test("a token to add that is empty or of any length is rejected", () => {
  for (const token of ["", "<".repeat(1001)]) {
    const rejection = rejectionOf(() => createTokenizer(neox(), { addedTokens: ["<a>", token] }));
    expect([rejection.code, rejection.message]).toEqual([
      "tokenizer-invalid",
      `tokenizer.json: token to add has ${token.length} characters; 1 to 1000 are read`,
    ]);
  }
});

test("a token to add that the file has as an ordinary one becomes special", () => {
  const json = damaged({ "added_tokens.25": { ...flags, id: 1092, content: "<image>", special: false } });
  const tokenizer = createTokenizer(json, { addedTokens: ["<image>"] });
  expect([tokenizer.size, tokenizer.isSpecial(1092)]).toEqual([1093, true]);
  expect(tokenizer.encode("<image>")).toEqual([1092]);
  expect(tokenizer.encode("<image>", { specialTokens: false })).not.toContain(1092);
});

test("names that all objects have are ordinary tokens", () => {
  const json = damaged({
    "added_tokens.25": { ...flags, id: 1092, content: "__proto__" },
    "added_tokens.26": { ...flags, id: 1093, content: "constructor" },
  });
  const tokenizer = createTokenizer(json);
  expect(tokenizer.encode("__proto__constructor")).toEqual([1092, 1093]);
  expect(tokenizer.idOf("toString")).toBeUndefined();
});

test("a file without normalizer and post-processor is read", () => {
  const tokenizer = createTokenizer(damaged({ normalizer: null, post_processor: null }));
  expect(tokenizer.decode(tokenizer.encode("e\u0301"))).toBe("e\u0301");
});

test("without its expression ByteLevel leaves the text in one word", () => {
  const tokenizer = createTokenizer(
    damaged({ "pre_tokenizer.use_regex": false, "model.merges.0": "e Ġ", "model.vocab.eĠ": 1092 }),
  );
  expect(tokenizer.encode("e e")).toEqual([1092, 70]);
});

test("CLIP's expression as the hub has it is known", () => {
  const words = "'s|'t|'re|'ve|'m|'ll|'d|[\\p{L}]+|[\\p{N}]|[^\\s\\p{L}\\p{N}]+";
  const hub = clipDamaged({
    [`${inSplits}.0.pattern.Regex`]: `<\\|startoftext\\|>|<\\|endoftext\\|>|${words}`,
  });
  const tokenizer = createTokenizer(hub);
  expect(tokenizer.encode("A cat's 12 <|x|>")).toEqual(createTokenizer(clip()).encode("A cat's 12 <|x|>"));
  // It parts a typed special token from what follows.
  const asText = (text: string) => tokenizer.encode(text, { specialTokens: false, startAndEnd: false });
  expect(asText("<|endoftext|>!")).toEqual([...asText("<|endoftext|>"), ...asText("!")]);
});
