/** Texts with images as the linear connectors are given them. */
import { expect, test } from "vitest";
import { type Row, rowOfPair, textOfRows } from "../../../../recipes/tiny/stages/connectorRows.js";
import { trainTokenizer } from "../../../../recipes/tiny/words/tokenizer/index.js";
import { createFlamingoTokenizer } from "../../../../src/text/flamingoTokens.js";
import { madeThings } from "../world/made.js";

const tokenizer = createFlamingoTokenizer(
  trainTokenizer({ things: madeThings, seed: 1, size: 400, texts: 20 }),
);
const pixels = new Uint8Array(3);
const document: Row = {
  text: "before<image>one<|endofchunk|>more<image>two<|endofchunk|><|endoftext|>",
  kind: "documents",
  images: [{ pixels }, { pixels }],
};
const rows = [rowOfPair({ pixels, text: "Output:x" }), document];
const { ids, targets, weights, image_of: imageOf } = textOfRows(rows, tokenizer);
const [b, t] = ids.shape as [number, number];

/** What is to be said behind each token, as text, and the number of the image that it sees. */
const said = (row: number) =>
  Array.from({ length: t }, (_, i) => {
    const at = row * t + i;
    return weights.data[at] === 0 ? "-" : tokenizer.decode([targets.data[at]!]);
  }).join(" ");
const seen = (row: number) => [...imageOf.data.subarray(row * t, (row + 1) * t)];
const tokensOf = (text: string) => tokenizer.encode(text).length;

test("a row is its tokens but the last, filled up on the right", () => {
  expect(b).toBe(2);
  expect(t).toBe(Math.max(...rows.map(({ text }) => tokensOf(text))) - 1);
  for (const [row, { text }] of rows.entries()) {
    const tokens = tokenizer.encode(text);
    const own = [...ids.data.subarray(row * t, (row + 1) * t)];
    expect(own.slice(0, tokens.length - 1)).toEqual(tokens.slice(0, -1));
    expect(own.slice(tokens.length).every((id) => id === tokenizer.special.padding)).toBe(true);
  }
});

test("behind an image all of a caption is to be said, its end too; of a document what images open", () => {
  const of = (text: string) => tokenizer.encode(text).map((token) => tokenizer.decode([token]));
  expect(said(0)).toBe(
    [...of("Output:x<|endofchunk|><|endoftext|>"), ...Array(t - tokensOf(rows[0]!.text) + 1).fill("-")].join(
      " ",
    ),
  );
  const none = (text: string) => of(text).map(() => "-");
  const expected = [
    ...none("before"),
    ...of("one<|endofchunk|>"),
    ...none("more<image>"),
    ...of("two<|endofchunk|>"),
    "-",
  ];
  expect(said(1)).toBe([...expected, ...Array(t - expected.length).fill("-")].join(" "));
});

test("images are counted over all rows, from 1; before the first one a token sees none", () => {
  const [one, two] = ["<image>Output:x<|endofchunk|>", "<image>one<|endofchunk|>more"].map(tokensOf);
  expect(seen(0).slice(0, one)).toEqual(Array(one).fill(1));
  const before = tokensOf("before");
  expect(seen(1).slice(0, before)).toEqual(Array(before).fill(0));
  expect(seen(1).slice(before, before + two!)).toEqual(Array(two).fill(2));
  expect(seen(1)[before + two!]).toBe(3);
});
