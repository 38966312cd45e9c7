import { expect, test } from "vitest";
import { OpenFlamingoError } from "../../src/base/errors.js";
import { createFlamingoTokenizer } from "../../src/text/flamingoTokens.js";
import { createStreamDecoder } from "../../src/text/streamDecoder.js";
import { createTokenizer } from "../../src/text/tokenizer.js";
import { readJson } from "./files.js";
import { random } from "./random.js";

const neox = createFlamingoTokenizer(readJson("tokenizer/neox.tokenizer.json"));
const neox20b = createFlamingoTokenizer(readJson("tokenizer/neox20b.tokenizer.json.gz"));
const clip = createFlamingoTokenizer(readJson("tokenizer/clip.tokenizer.json"));

const atoms = [
  ..."aZé7½漢가👍Σİ\t\n.!'<|>/w\u0085\u00a0\ufeff\u200d\u0301\u0323\u0345\u0903\ud83d\udc4d",
  ..."e\u0301,ᄀ,ᅡ,ᆨ, cat,The,'ll,  ,   ,\r\n,</w>,<image>,<|endofchunk|>,<|endoftext|>,<PAD>,👩🏾‍🚀".split(
    ",",
  ),
];
function randomTexts(count: number, seed: number): string[] {
  const { int, pick } = random(seed);
  const atom = () => (int(8) > 0 ? pick(atoms) : String.fromCodePoint(int(0x3000)));
  return Array.from({ length: count }, () => Array.from({ length: int(16) }, atom).join(""));
}
/** The text as an encoder takes it: well-formed. */
const wellFormed = (text: string) => text.replace(/\p{Surrogate}/gu, "\ufffd");

function codeOf(act: () => unknown): [string, string] {
  try {
    act();
  } catch (error) {
    if (error instanceof OpenFlamingoError) return [error.code, error.message];
    throw error;
  }
  throw new Error("nothing was thrown");
}

test("decoding gives the normalized text back, with every way to see special tokens", () => {
  for (const tokenizer of [neox, neox20b]) {
    for (const text of randomTexts(2000, 1)) {
      const plain = tokenizer.encode(text, { specialTokens: false });
      expect(tokenizer.decode(plain)).toBe(wellFormed(text).normalize("NFC"));
      expect(plain.filter((id) => tokenizer.isSpecial(id))).toEqual([]);
      // Between special tokens each piece is normalized by itself.
      const pieces = wellFormed(text).split(/(<image>|<\|endofchunk\|>|<\|endoftext\|>|<PAD>)/);
      const expected = pieces.map((piece) => piece.normalize("NFC")).join("");
      expect(tokenizer.decode(tokenizer.encode(text))).toBe(expected);
    }
  }
});

test("the pieces of a stream are what decode gives, and no piece ends in half a character", () => {
  const { int } = random(2);
  for (const tokenizer of [neox, neox20b, clip]) {
    const answers = [
      ...randomTexts(1000, 3).map((text) => tokenizer.encode(text, { specialTokens: int(2) > 0 })),
      ...Array.from({ length: 1000 }, () =>
        Array.from({ length: int(12) }, () => int(int(2) > 0 ? 256 : tokenizer.size)),
      ),
    ];
    for (const ids of answers) {
      for (const skipSpecialTokens of [false, true]) {
        const stream = createStreamDecoder(tokenizer, { skipSpecialTokens });
        const pieces = [...ids.map((id) => stream.push(id)), stream.end()];
        expect(pieces.join(""), `${ids}`).toBe(tokenizer.decode(ids, { skipSpecialTokens }));
        expect(pieces.map(wellFormed)).toEqual(pieces);
      }
    }
  }
});

test("a special token typed by a user stays text; runs of spaces are found all the same", () => {
  const typed = "<image>  x<|endofchunk|>";
  expect(neox20b.encode(typed)).toEqual([50278, 50276, 89, 50277]);
  const ids = neox20b.encode(typed, { specialTokens: false });
  expect(ids).toContain(50276);
  expect(ids.filter((id) => neox20b.isSpecial(id))).toEqual([]);
  expect(neox20b.decode(ids)).toBe(typed);
});

test("special tokens in the text and tokens around the text are switched apart", () => {
  const [start, end, image] = [1234, 1235, clip.special.image];
  const catIds = clip.encode("a cat", { startAndEnd: false });
  expect(clip.encode("<image>a cat")).toEqual([start, image, ...catIds, end]);
  expect(clip.encode("<image>a cat", { startAndEnd: false })).toEqual([image, ...catIds]);
  const asText = clip.encode("<image>a cat", { specialTokens: false });
  expect([asText[0], asText.at(-1)]).toEqual([start, end]);
  expect(asText).not.toContain(image);
});

test("maxLength cuts the text at its end and keeps the start and end tokens", () => {
  const all = clip.encode("a cat on the table");
  expect(clip.encode("a cat on the table", { maxLength: 4 })).toEqual([...all.slice(0, 3), 1235]);
  expect(clip.encode("a cat on the table", { maxLength: 2 })).toEqual([1234, 1235]);
  expect(neox.encode("a cat", { maxLength: 0 })).toEqual([]);
  expect(codeOf(() => clip.encode("a cat", { maxLength: 1 }))).toEqual([
    "usage",
    "encode: maxLength is 1, the start and end tokens alone are 2",
  ]);
  expect(codeOf(() => neox.encode("a cat", { maxLength: Number.NaN }))[0]).toBe("usage");
});

test("an id that the tokenizer does not have is rejected", () => {
  for (const id of [50280, -1, 1.5, Number.NaN]) {
    expect(codeOf(() => neox20b.decode([0, id]))).toEqual([
      "usage",
      `decode: ${id} is no id; the tokenizer has 0 to 50279`,
    ]);
    expect(codeOf(() => createStreamDecoder(neox20b).push(id))[0]).toBe("usage");
  }
});

test("added tokens take the longest at the leftmost place, whatever their letters mean in an expression", () => {
  const tokenizer = createTokenizer(readJson("tokenizer/neox.tokenizer.json"), {
    addedTokens: ["<.*>", "(a|b)", "[x y]", "<.*>\\", "^$", "👍"],
  });
  const [any, either, set, longer, ends, thumb] = [1092, 1093, 1094, 1095, 1096, 1097];
  expect(tokenizer.encode("<.*>\\<.*>(a|b)[x y]^$👍")).toEqual([longer, any, either, set, ends, thumb]);
  expect(tokenizer.decode([longer, set, thumb])).toBe("<.*>\\[x y]👍");
  expect(tokenizer.encode("<x>").some((id) => id > 1091)).toBe(false);
});

test("an added token that is to be normalized is found in any spelling that gives it", () => {
  const json = readJson<{ added_tokens: unknown[] }>("tokenizer/clip.tokenizer.json");
  const flags = { single_word: false, lstrip: false, rstrip: false, special: false };
  json.added_tokens.push({ ...flags, id: 1236, content: "New York", normalized: true });
  const tokenizer = createTokenizer(json);
  const dog = tokenizer.encode("dog", { startAndEnd: false });
  for (const text of ["dogNEW YORKdog", "dognew \n yorkdog"]) {
    expect(tokenizer.encode(text, { startAndEnd: false })).toEqual([...dog, 1236, ...dog]);
  }
});

test("long input of one kind is encoded and comes back", () => {
  const million = 1_000_000;
  const texts = [
    "a".repeat(million),
    " ".repeat(million),
    "漢".repeat(million),
    "<image".repeat(million / 10),
  ];
  for (const text of texts) {
    // toBe would print both.
    expect(neox20b.decode(neox20b.encode(text)) === text, text.slice(0, 10)).toBe(true);
  }
  expect(clip.encode("Aa".repeat(million / 2)).length).toBeGreaterThan(2);
});

test("a million combining marks on one letter are encoded, in canonical order", () => {
  const [acute, dot, iota] = ["\u0301", "\u0323", "\u0345"];
  const ids = neox20b.encode(`a${(iota + acute + dot).repeat(333_333)}`);
  const expected = `ạ${dot.repeat(333_332)}${acute.repeat(333_333)}${iota.repeat(333_333)}`;
  expect(neox20b.decode(ids) === expected).toBe(true); // toBe would print both
});

test("a text beyond what is encoded at once is rejected", () => {
  expect(codeOf(() => neox.encode("a".repeat(2_000_001)))).toEqual([
    "usage",
    "encode: the text has 2000001 characters, at most 2000000 are encoded at once",
  ]);
});
