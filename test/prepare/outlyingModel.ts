/** The 9b tiny model with a channel of its language model's norms that is many times as strong as the others. */
import { cpSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { randomModelFolder } from "../goldens.js";
import { safetensors, tensorsOf } from "../tensors.js";

/** Makes the model in a folder that does not exist yet. @param factor of channel 5 of every norm */
export async function outlyingModel(folder: string, factor: number): Promise<void> {
  cpSync(randomModelFolder, folder, { recursive: true });
  const language = join(folder, "lang");
  const tensors = await tensorsOf(language);
  for (const [name, { data }] of tensors) if (/norm_[12]\.weight$/.test(name)) data[5]! *= factor;
  for (const file of readdirSync(language).filter((name) => name.startsWith("pytorch_model"))) {
    rmSync(join(language, file));
  }
  writeFileSync(join(language, "model.safetensors"), safetensors(tensors));
}
