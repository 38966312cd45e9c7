/** The 9b tiny model with a CLIP that reads texts: a tokenizer beside it, and an embedding with a row for each of its tokens. */
import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { golden, randomModelFolder } from "./goldens.js";
import { safetensors, tensorsOf } from "./tensors.js";

/** Tokens of goldens/tokenizer/clip.tokenizer.json. */
const tokens = 1236;

/** Makes the model in a folder that does not exist yet. */
export async function clipWithTexts(folder: string): Promise<void> {
  cpSync(randomModelFolder, folder, { recursive: true });
  const clip = (name: string) => join(folder, "clip", name);
  cpSync(golden("tokenizer/clip.tokenizer.json"), clip("tokenizer.json"));
  const config = JSON.parse(readFileSync(clip("open_clip_config.json"), "utf8"));
  config.model_cfg.text_cfg.vocab_size = tokens;
  writeFileSync(clip("open_clip_config.json"), JSON.stringify(config));

  const tensors = await tensorsOf(clip("open_clip_pytorch_model.bin"));
  const { shape, data } = tensors.get("token_embedding.weight")!;
  const width = shape[1]!;
  // The tiny model's rows again and again, each time a little longer, so that no two are the same.
  const rows = Float32Array.from({ length: tokens * width }, (_, i) => {
    return data[i % data.length]! * (1 + Math.floor(i / data.length) / 10);
  });
  tensors.set("token_embedding.weight", { shape: [tokens, width], data: rows });
  writeFileSync(clip("open_clip_pytorch_model.bin"), safetensors(tensors)); // distinguished by content
}
