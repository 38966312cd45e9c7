/** The first stage: a tokenizer, trained on the recipe's own text. */
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { writeWhole } from "../../../src/base/wholeFile.node.js";
import { createFlamingoTokenizer, type FlamingoTokenizer } from "../../../src/text/flamingoTokens.js";
import { tokenizerConfig } from "../words/tokenizer/files.js";
import { trainTokenizer } from "../words/tokenizer/index.js";
import { kindsOfPhotographs } from "../world/photographs.node.js";
import type { Stage } from "./stage.js";

/** Its folder is the language model's. */
export async function makeTokenizer(stage: Stage): Promise<FlamingoTokenizer> {
  const { folder, things, settings } = stage;
  const photographKinds = await kindsOfPhotographs(stage.photographs);
  const language = join(folder, "lang");
  const path = join(language, "tokenizer.json");
  const known = await readFile(path, "utf8").catch(() => undefined);
  if (known !== undefined) return createFlamingoTokenizer(JSON.parse(known));
  const made = trainTokenizer({ things, photographKinds, seed: settings.seed, size: settings.vocabulary });
  await mkdir(language, { recursive: true });
  const write = (name: string, content: object) =>
    writeWhole(join(language, name), (file) => file.writeFile(`${JSON.stringify(content, null, 1)}\n`));
  await write("tokenizer_config.json", tokenizerConfig(settings.language.contextLength));
  await write("tokenizer.json", made);
  return createFlamingoTokenizer(made);
}
