/**
 * The files of a tokenizer in the form of GPT-NeoX, which the released MPT models use too.
 *
 * `<|endofchunk|>`, `<image>` and `<PAD>` are not in them: every Flamingo adds these when it loads its tokenizer, and so
 * do the training and this package.
 */
import { parseTokenizerJson } from "../../../../src/text/tokenizerJson.js";
import { type Merges, trainMerges } from "./train.js";

const specialTokens = ["<|endoftext|>", "<|padding|>"];

const byteLevel = { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true };

/** What a `tokenizer.json` holds. */
export const tokenizerJson = ({ letters, merges }: Merges) => ({
  version: "1.0",
  truncation: null,
  padding: null,
  added_tokens: specialTokens.map((content, id) => ({
    id,
    content,
    single_word: false,
    lstrip: false,
    rstrip: false,
    normalized: false,
    special: true,
  })),
  normalizer: { type: "NFC" },
  pre_tokenizer: byteLevel,
  post_processor: byteLevel,
  decoder: byteLevel,
  model: {
    type: "BPE",
    dropout: null,
    unk_token: null,
    continuing_subword_prefix: null,
    end_of_word_suffix: null,
    fuse_unk: false,
    byte_fallback: false,
    vocab: Object.fromEntries(
      [...specialTokens, ...letters, ...merges.map(([left, right]) => left + right)].map((token, id) => [
        token,
        id,
      ]),
    ),
    merges: merges.map((pair) => pair.join(" ")),
  },
});

/** What a `tokenizer_config.json` holds, for the reference implementation. @param maxLength tokens of a text */
export const tokenizerConfig = (maxLength: number) => ({
  add_prefix_space: false,
  bos_token: "<|endoftext|>",
  eos_token: "<|endoftext|>",
  unk_token: "<|endoftext|>",
  model_max_length: maxLength,
  tokenizer_class: "GPTNeoXTokenizer",
});

/** How often each word is there, cut as a tokenizer of these files cuts it. */
export function countWords(texts: Iterable<string>): Map<string, number> {
  const { splits } = parseTokenizerJson(tokenizerJson(trainMerges(new Map(), 0)), []);
  const counts = new Map<string, number>();
  for (const text of texts) {
    // Special tokens are cut out before words are looked for.
    for (const piece of text.split(/<\|\w+\|>/)) {
      const words = splits.reduce(
        (pieces, split) => pieces.flatMap((each) => each.match(split) ?? []),
        [piece],
      );
      for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1);
    }
  }
  return counts;
}
