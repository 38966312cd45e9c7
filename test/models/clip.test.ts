/** Small CLIP models beside the reference implementation's: goldens/README.md, `modules/` and `checkpoints/`. */
import { describe, test } from "vitest";
import { imageFeatures, normalized, similarity } from "../../src/models/clip.js";
import { textAtEnd, textFeatures } from "../../src/models/clipText.js";
import { params } from "../../src/models/layers.js";
import { vit } from "../../src/models/vit.js";
import { golden, goldenTest } from "../goldens.js";
import { host, type Plain } from "../graph/arrays.js";
import { useBackend } from "../graph/evaluate.js";
import { tensorsOf } from "../tensors.js";
import { compare, moduleFile } from "./moduleFile.js";

const backend = useBackend();
const tower = { hiddenSize: 16, layers: 2, heads: 2, mlpRatio: 4 };

describe.each([
  ["clip_quick_gelu", "quickGelu"],
  ["clip_gelu", "gelu"],
] as const)("%s", (file, activation) => {
  const vision = { ...tower, imageSize: 16, patchSize: 4, activation };
  const text = { ...tower, contextLength: 11, vocabulary: 60, features: 12, activation };

  test("patch tokens, features of images and texts, and logits", async () => {
    const { weights, inputs, outputs } = await moduleFile(file);
    const given = { image: host(inputs.image!, "float32"), text: host(inputs.text!, "int32") };
    const found = await backend.evaluate(
      given,
      (t, graph) => {
        const p = params(graph);
        const images = imageFeatures(p, t.image!, vision, text.features);
        const texts = textFeatures(p, t.text!, text);
        return {
          patch_tokens: vit(p.at("visual"), t.image!, vision),
          image_features: images,
          image_features_normalized: normalized(images),
          text_at_end_token: textAtEnd(p, t.text!, text),
          text_features: texts,
          text_features_normalized: normalized(texts),
          logits_per_image: similarity(p, normalized(images), normalized(texts)),
        };
      },
      weights,
    );
    for (const [name, expected] of Object.entries(outputs)) compare(file, name, found[name]!, expected);
  });
});

const openAi = "checkpoints/openai-clip-tiny";
goldenTest(`${openAi}.pt`, "features of a CLIP in OpenAI's own form", async () => {
  const plain = async (path: string) =>
    Object.fromEntries(
      [...(await tensorsOf(golden(path)))].map(([name, { shape, data }]): [string, Plain] => [
        name,
        { shape, data: Array.from(data) },
      ]),
    );
  const weights = await plain(`${openAi}.pt`);
  const values = await plain(`${openAi}.safetensors`);
  const ofOpenAi = { hiddenSize: 64, layers: 1, heads: 1, mlpRatio: 4, activation: "quickGelu" } as const;
  const given = {
    image: host(values["input.image"]!, "float32"),
    text: host(values["input.text"]!, "int32"),
  };
  const { images, texts } = await backend.evaluate(
    given,
    ({ image, text }, graph) => ({
      images: imageFeatures(params(graph), image!, { ...ofOpenAi, imageSize: 16, patchSize: 8 }, 16),
      texts: textFeatures(params(graph), text!, {
        ...ofOpenAi,
        contextLength: 9,
        vocabulary: 40,
        features: 16,
      }),
    }),
    weights,
  );
  compare("openai-clip-tiny", "image_features", images!, values["output.image_features"]!);
  compare("openai-clip-tiny", "text_features", texts!, values["output.text_features"]!);
});
