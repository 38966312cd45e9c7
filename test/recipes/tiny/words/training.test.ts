/** What training reads of a packed document: the images where they belong, and every answer learnt. */
import { expect, test } from "vitest";
import { factsAt } from "../../../../recipes/tiny/words/corpus.js";
import { documentKinds } from "../../../../recipes/tiny/words/document.js";
import { documentAt } from "../../../../recipes/tiny/words/documents.js";
import { asSegments, imagesOf, withImageTokens } from "../../../../recipes/tiny/words/forms.js";
import { trainTokenizer } from "../../../../recipes/tiny/words/tokenizer/index.js";
import { assembleDocument } from "../../../../src/data/assemble.js";
import { createTemplate } from "../../../../src/data/template.js";
import { readDocument } from "../../../../src/pack/documents.js";
import { createFlamingoTokenizer } from "../../../../src/text/flamingoTokens.js";
import { named, things } from "./things.js";

const tokenizer = createFlamingoTokenizer(trainTokenizer({ things, seed: 1, size: 600, texts: 50 }));
const template = createTemplate(tokenizer, { specialTokensInText: true });

/** What `data pack` writes: the images of the named files, a file here being its number. */
function packed(row: ReturnType<typeof asSegments>): Uint8Array {
  const document = readDocument(row as never);
  if (typeof document === "string" || document.kind !== "marks") throw new Error(String(document));
  const map = [...document.images].map(([mark, { image_name }]) => [
    mark,
    { base64_image: Buffer.from([Number(image_name)]).toString("base64") },
  ]);
  return Buffer.from(JSON.stringify({ ...row, image_map: Object.fromEntries(map) }));
}

test.each(documentKinds.filter((kind) => kind !== "text-text"))(
  "%s: tokens and images are those that are meant",
  async (kind) => {
    for (let index = 0; index < 60; index++) {
      const document = documentAt({
        ...{ kind, things, seed: 2, index },
        sceneAt: (scene) => ({ scene, facts: factsAt(named, 2, scene) }),
      });
      const images = imagesOf(document);
      const json = packed(asSegments(document, (image) => String(image)));
      const sample = await assembleDocument(
        new Map([["json", json]]),
        {
          ...{ tokenizer, template, maxTokens: 2000, maxImages: 12 },
          decode: async (file) => Float32Array.from(file),
        },
        { flip: () => false, drop: () => false },
      );
      if (typeof sample === "string") throw new Error(sample);
      const wanted = withImageTokens(document);
      expect(tokenizer.decode([...sample.ids])).toBe(wanted);
      expect([...sample.ids]).toEqual(tokenizer.encode(wanted));
      expect(sample.images.map(([first]) => first)).toEqual(images.map((_, i) => i));
      const learnt = tokenizer.decode([...sample.labels].filter((id) => id >= 0));
      expect(learnt).toBe(
        document.chunks
          .filter(({ shown }) => shown.kind !== "words")
          .map(({ prompt, answer }) => `${prompt}${answer}<|endofchunk|>`)
          .join(""),
      );
    }
  },
);
