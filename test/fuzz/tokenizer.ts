/** `tokenizer.json`, of GPT-NeoX's and CLIP's form, with what is read beside it. */
import { readFileSync } from "node:fs";
import { OpenFlamingoError } from "../../src/base/errors.js";
import { isObject, parseJson } from "../../src/base/json.js";
import { createFlamingoTokenizer } from "../../src/text/flamingoTokens.js";
import { golden } from "../goldens.js";
import { latin1 } from "./checkpoint.js";
import { otherJson } from "./json.js";
import type { FuzzKind } from "./kind.js";

/** A tokenizer with few words, so that a change is likely to meet what matters. */
function small(file: string): Uint8Array {
  const json = JSON.parse(readFileSync(golden(`tokenizer/${file}`), "utf8"));
  const { model } = json;
  // The first merges, and the tokens that they and the bytes make.
  const merges = model.merges.slice(0, 8);
  const made = new Set(merges.map((merge: string | string[]) => [merge].flat().join("").replaceAll(" ", "")));
  const kept = Object.keys(model.vocab).filter(
    (token) => [...token].length === 1 || made.has(token) || /^<|<\/w>$/.test(token),
  );
  model.vocab = Object.fromEntries(kept.map((token, id) => [token, id]));
  model.merges = merges;
  const idOf = new Map(kept.map((token, id) => [token, id]));
  json.added_tokens = json.added_tokens
    .filter(({ content }: { content: string }) => idOf.has(content))
    .map((token: { content: string }) => ({ ...token, id: idOf.get(token.content) }));
  return Buffer.from(JSON.stringify(json));
}

const whole = (file: string) => readFileSync(golden(`tokenizer/${file}`));
const files = ["neox.tokenizer.json", "neox.added.tokenizer.json", "clip.tokenizer.json"];
/** What stands beside a tokenizer, and the tokenizer that it is read with. */
const beside = Buffer.from(
  JSON.stringify({
    add_prefix_space: false,
    bos_token: "<|endoftext|>",
    pad_token: { content: "<|padding|>", lstrip: false },
    additional_special_tokens: ["<image>"],
    added_tokens_decoder: { 0: { content: "<|endoftext|>", rstrip: false } },
  }),
);
let parsed: unknown;
const plain = () => (parsed ??= JSON.parse(Buffer.from(small(files[0]!)).toString()));
/** With a template around texts. */
function templated(): Uint8Array {
  const json = JSON.parse(Buffer.from(small(files[0]!)).toString());
  const token = { SpecialToken: { id: "<|endoftext|>", type_id: 0 } };
  json.post_processor = {
    type: "Sequence",
    processors: [
      { type: "ByteLevel", add_prefix_space: false, trim_offsets: true },
      {
        type: "TemplateProcessing",
        single: [token, { Sequence: { id: "A", type_id: 0 } }],
        pair: [],
        special_tokens: { "<|endoftext|>": { id: "<|endoftext|>", ids: [0], tokens: ["<|endoftext|>"] } },
      },
    ],
  };
  return Buffer.from(JSON.stringify(json));
}
let seeds: readonly Uint8Array[] | undefined;
const words = [
  "BPE",
  "ByteLevel",
  "Sequence",
  "<image>",
  "<|endoftext|>",
  "Ġ",
  "</w>",
  "NFC",
  "Split",
  "(a+)+$",
  "\\s+",
];
const text = `A photo of <image> two cats, don't 'a' \u00e9\ud800 <|endofchunk|> \n\n  日本語 ${"aaaaaaaa".repeat(20)}`;

export const tokenizerKind: FuzzKind = {
  name: "tokenizer",
  seeds: () => (seeds ??= [...files.map(small), ...files.map(whole), templated(), beside]),
  mutate: (random, seed) => Buffer.from(otherJson(random, latin1(seed), words), "latin1"),
  async run(input) {
    const invalid = (what: string, cause?: unknown) =>
      new OpenFlamingoError("tokenizer-invalid", `tokenizer.json: ${what}`, { hint: "", cause });
    const json = parseJson(Buffer.from(input).toString(), invalid);
    if (isObject(json) && "add_prefix_space" in json) {
      createFlamingoTokenizer(plain(), { tokenizerConfig: json, specialTokensMap: json });
      return;
    }
    const tokenizer = createFlamingoTokenizer(json);
    for (const specialTokens of [true, false]) {
      const ids = tokenizer.encode(text, { specialTokens });
      if (ids.some((id) => !(id >= 0 && id < tokenizer.size))) throw new Error(`an id of ${ids} is none`);
      tokenizer.decode(ids);
    }
  },
};
