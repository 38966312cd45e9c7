/** Captions as ids, compared with the reference implementation's. */
import { expect, test } from "vitest";
import { captionFiles, captionIds, stripped } from "../../src/data/caption.js";
import { createTemplate } from "../../src/data/template.js";
import { padRows } from "../../src/text/padding.js";
import { compared } from "../parity.js";
import { dataTokenizer, describeWithData, readData } from "./goldenData.js";

interface Batch {
  readonly captions: string[];
  readonly max_tokens: number;
  readonly padded_length: number;
  readonly rows: { attended: number; ids: number[] }[];
}

describeWithData("laion_text.json", () => {
  test("every caption has the published ids", () => {
    const { batches } = readData<{ batches: Batch[] }>("laion_text.json");
    const tokenizer = dataTokenizer();
    const template = createTemplate(tokenizer, { specialTokensInText: true });
    expect(batches).toHaveLength(22);
    for (const { captions, max_tokens: maxTokens, padded_length, rows } of batches) {
      const ids = captions.map((caption) => captionIds(caption, template, { maxTokens })!);
      expect(ids).toEqual(rows.map((row) => row.ids));
      compared("training data/captions", { cases: ids.length, values: ids.flat().length });
      const padded = padRows(ids, { padding: tokenizer.special.padding, side: "right" });
      expect(padded.ids[0]).toHaveLength(padded_length);
    }
  });

  test("by default special tokens that somebody wrote are letters", () => {
    const tokenizer = dataTokenizer();
    const { image, endOfChunk } = tokenizer.special;
    const ids = captionIds("<image>a cat<|endofchunk|><|endoftext|>", createTemplate(tokenizer), {
      maxTokens: 256,
    })!;
    expect(ids.filter((id) => id === image)).toHaveLength(1);
    expect(ids.filter((id) => id === endOfChunk)).toHaveLength(1);
    expect(tokenizer.decode(ids)).toBe(
      "<image><image>a cat<|endofchunk|><|endoftext|><|endofchunk|><|endoftext|>",
    );
  });

  test("by default other captions have the published ids too", () => {
    const template = createTemplate(dataTokenizer());
    for (const { captions, max_tokens: maxTokens, rows } of readData<{ batches: Batch[] }>("laion_text.json")
      .batches) {
      for (const [i, caption] of captions.entries()) {
        if (/<.*>/.test(caption)) continue;
        expect(captionIds(caption, template, { maxTokens })).toEqual(rows[i]!.ids);
      }
    }
  });

  test("the template's own marks in a caption are left out", () => {
    const template = createTemplate(dataTokenizer());
    expect(captionIds("a \ufdd0cat\ufdd2", template)).toEqual(captionIds("a cat", template));
  });

  test("a caption of more than a million characters is not encoded", () => {
    for (const specialTokensInText of [false, true]) {
      const template = createTemplate(dataTokenizer(), { specialTokensInText });
      expect(captionIds("x".repeat(1_000_001), template)).toBeUndefined();
    }
  });

  test("a tokenizer without the end token is rejected", () => {
    expect(() => createTemplate(dataTokenizer(), { endOfText: "</s>" })).toThrow(/no token "<\/s>"/);
  });
});

test("a text loses the white space at its ends that Python takes for it", () => {
  expect(stripped("\u00a0\u3000\u001c a b \u0085\u2028")).toBe("a b");
  expect(stripped("\ufeff a \u200b")).toBe("\ufeff a \u200b");
});

test("of two images jpg is taken before png, and png before jpeg", () => {
  const files = (...names: string[]) => captionFiles(new Map([...names, "txt"].map((name) => [name, name])));
  expect(files("png", "jpg", "jpeg")?.image).toBe("jpg");
  expect(files("jpeg", "png")?.image).toBe("png");
  expect(files("jpeg")?.image).toBe("jpeg");
  expect(files("webp")).toBeUndefined();
  expect(captionFiles(new Map([["jpg", 1]]))).toBeUndefined();
});
