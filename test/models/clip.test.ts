/** Small CLIP models beside the reference implementation's: goldens/README.md, `modules/` and `checkpoints/`. */
import { readFileSync } from "node:fs";
import { describe, test } from "vitest";
import { imageFeatures, normalized, similarity } from "../../src/models/clip.js";
import { textAtEnd, textFeatures } from "../../src/models/clipText.js";
import { params } from "../../src/models/layers.js";
import { vit } from "../../src/models/vit.js";
import { golden, goldenTest } from "../goldens.js";
import { host, type Plain } from "../graph/arrays.js";
import { useBackend } from "../graph/evaluate.js";
import { tensorsOf } from "../tensors.js";
import { compare, moduleFile, modulesOf } from "./moduleFile.js";

const backend = useBackend();
/** open_clip's configuration. */
interface ClipSettings {
  readonly embed_dim: number;
  readonly quick_gelu: boolean;
  readonly vision_cfg: {
    readonly image_size: number;
    readonly layers: number;
    readonly width: number;
    readonly patch_size: number;
    readonly head_width?: number;
    readonly mlp_ratio?: number;
  };
  readonly text_cfg: {
    readonly context_length: number;
    readonly vocab_size: number;
    readonly width: number;
    readonly heads: number;
    readonly layers: number;
    readonly mlp_ratio?: number;
  };
}

/** Both towers; head width and feed-forward ratio are open_clip's where the configuration leaves them out. */
function towersOf({ embed_dim: features, quick_gelu, vision_cfg: vision, text_cfg: text }: ClipSettings) {
  const activation = quick_gelu ? ("quickGelu" as const) : ("gelu" as const);
  return {
    vision: {
      hiddenSize: vision.width,
      layers: vision.layers,
      heads: vision.width / (vision.head_width ?? 64),
      mlpRatio: vision.mlp_ratio ?? 4,
      imageSize: vision.image_size,
      patchSize: vision.patch_size,
      activation,
    },
    text: {
      hiddenSize: text.width,
      layers: text.layers,
      heads: text.heads,
      mlpRatio: text.mlp_ratio ?? 4,
      contextLength: text.context_length,
      vocabulary: text.vocab_size,
      features,
      activation,
    },
  };
}

describe.each(modulesOf<ClipSettings>("clip_"))("$name", ({ name: module, file, config }) => {
  const { vision, text } = towersOf(config);

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
    for (const [name, expected] of Object.entries(outputs)) compare(module, name, found[name]!, expected);
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
  const { config } = JSON.parse(readFileSync(golden(`${openAi}.json`), "utf8")) as { config: ClipSettings };
  const { vision, text } = towersOf(config);
  const given = {
    image: host(values["input.image"]!, "float32"),
    ids: host(values["input.text"]!, "int32"),
  };
  const { images, texts } = await backend.evaluate(
    given,
    ({ image, ids }, graph) => ({
      images: imageFeatures(params(graph), image!, vision, text.features),
      texts: textFeatures(params(graph), ids!, text),
    }),
    weights,
  );
  compare("openai-clip-tiny", "image_features", images!, values["output.image_features"]!);
  compare("openai-clip-tiny", "text_features", texts!, values["output.text_features"]!);
});
