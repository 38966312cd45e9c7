/** Every value of goldens/tokenizer: ids, decoded text, batches, prefixes of streams, odd input. */
import { afterAll, describe, expect, test } from "vitest";
import { cleanUp } from "../../src/text/cleanUp.js";
import { createFlamingoTokenizer } from "../../src/text/flamingoTokens.js";
import { padRows } from "../../src/text/padding.js";
import { createStreamDecoder } from "../../src/text/streamDecoder.js";
import { atHand } from "../goldens.js";
import { compared } from "../parity.js";
import { readJson } from "./files.js";

interface Golden {
  texts: { t: string; ids: number[]; d?: string; ds?: string; dc?: string; dsc?: string }[];
  no_specials: { t: string; ids: number[] }[];
  batches: {
    texts: string[];
    side: "left" | "right";
    padding: "longest" | "max_length";
    truncation?: boolean;
    max_length?: number;
    ids: number[][];
    mask: number[][];
  }[];
  stream: { ids: number[]; prefixes: string[] }[];
  random_ids: { ids: number[]; d: string; dsc: string }[];
  lone_surrogates: { units: number[]; ids: number[] }[];
  special: Record<string, number>;
  bos: number;
  eos: number;
  pad: number;
  size: number;
}

/** Ids one by one, a text as one value. */
const countOf = (of: unknown): number => (Array.isArray(of) ? of.flat().length : 1);

const files = [
  ["neox.tokenizer.json", "neox.golden.json"],
  ["neox.pairs.tokenizer.json", "neox.golden.json"],
  ["neox.added.tokenizer.json", "neox.golden.json"],
  ["neox20b.tokenizer.json.gz", "neox20b.golden.json"],
  ["clip.tokenizer.json", "clip.golden.json"],
] as const;

const pathsOf = (names: readonly string[]) => names.map((name) => `tokenizer/${name}`);
describe.each(atHand(files, pathsOf, "ids and texts"))("%s", (file, expectedFile) => {
  const expected = readJson<Golden>(`tokenizer/${expectedFile}`);
  const tokenizer = createFlamingoTokenizer(readJson(`tokenizer/${file}`));

  const counted = { cases: 0, values: 0 };
  afterAll(() => compared(`tokenizers/ids and texts/${file}`, counted));
  /** `expect().toEqual` for many values, with the values that were compared in front of a failure. */
  function compare(what: string, got: unknown, expected: unknown): void {
    counted.cases++;
    counted.values += countOf(expected);
    expect(got, what).toStrictEqual(expected);
  }

  test("the added tokens take the next free ids", () => {
    compare("size", tokenizer.size, expected.size);
    for (const [token, id] of Object.entries(expected.special)) {
      compare(token, tokenizer.idOf(token), id);
      compare(`${token} is special`, tokenizer.isSpecial(id), true);
    }
    compare("padding", tokenizer.special.padding, expected.pad);
  });

  test("texts become the reference implementation's ids", () => {
    for (const { t, ids } of expected.texts) compare(JSON.stringify(t), tokenizer.encode(t), ids);
  });

  test("ids become the reference implementation's text, with and without special tokens and clean-up", () => {
    for (const { t, ids, d = t, ds = d, dc = d, dsc = ds } of expected.texts) {
      const all = tokenizer.decode(ids);
      const some = tokenizer.decode(ids, { skipSpecialTokens: true });
      compare(`decode ${ids}`, all, d);
      compare(`decode without special tokens ${ids}`, some, ds);
      compare(`clean-up of ${all}`, cleanUp(all), dc);
      compare(`clean-up of ${some}`, cleanUp(some), dsc);
    }
  });

  test("start and end tokens can be left out", () => {
    for (const { t, ids } of expected.no_specials) {
      compare(JSON.stringify(t), tokenizer.encode(t, { startAndEnd: false }), ids);
    }
  });

  test("batches are cut and padded as the reference implementation does it", () => {
    for (const { texts, side, padding, max_length, truncation, ids, mask } of expected.batches) {
      const limit = truncation ? { maxLength: max_length! } : {};
      const rows = texts.map((text) => tokenizer.encode(text, limit));
      const length = padding === "max_length" ? { length: max_length! } : {};
      const padded = padRows(rows, { padding: tokenizer.special.padding, side, ...length });
      compare(`ids of ${texts}`, padded.ids, ids);
      compare(`mask of ${texts}`, padded.mask, mask);
    }
  });

  test("an unfinished character shows as U+FFFD in decode, and not at all in a stream", () => {
    for (const { ids, prefixes } of expected.stream) {
      const stream = createStreamDecoder(tokenizer, { skipSpecialTokens: true });
      let streamed = "";
      for (const [i, prefix] of prefixes.entries()) {
        compare(
          `${ids} up to ${i}`,
          tokenizer.decode(ids.slice(0, i + 1), { skipSpecialTokens: true }),
          prefix,
        );
        streamed += stream.push(ids[i]!);
        expect(prefix.startsWith(streamed), `stream of ${ids} up to ${i}`).toBe(true);
        // CLIP's ends are stripped: its space waits for the character.
        compare(`what ${prefix} holds back`, prefix.slice(streamed.length).replace(/^ ?\ufffd$/, ""), "");
      }
      compare(`stream of ${ids}`, streamed + stream.end(), prefixes.at(-1));
    }
  });

  test("broken UTF-8 becomes U+FFFD, one for each maximal broken part", () => {
    for (const { ids, d, dsc } of expected.random_ids) {
      compare(`decode ${ids}`, tokenizer.decode(ids), d);
      compare(`decode and clean up ${ids}`, cleanUp(tokenizer.decode(ids, { skipSpecialTokens: true })), dsc);
    }
  });

  test("a lone surrogate counts as U+FFFD", () => {
    for (const { units, ids } of expected.lone_surrogates) {
      compare(`units ${units}`, tokenizer.encode(String.fromCharCode(...units)), ids);
    }
  });
});
