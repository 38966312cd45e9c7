/** What the language model has in place of a name: the mean of the embeddings of its tokens. */
import { join } from "node:path";
import type { HostTensor } from "../../../src/runtime/hostTensor.js";
import type { FlamingoTokenizer } from "../../../src/text/flamingoTokens.js";
import { readTensors } from "../towers/readTensors.js";
import { languageFiles } from "../towers/writeTowers.js";

/**
 * @param folder of the language model
 * @param names n of them, as they stand in a text behind a word
 * @returns (n, d)
 * @throws OpenFlamingoError "checkpoint-…" where its weights cannot be read
 */
export async function nameEmbeddings(
  folder: string,
  names: readonly string[],
  tokenizer: FlamingoTokenizer,
): Promise<HostTensor<"float32">> {
  const { shape, data } = (await readTensors(join(folder, languageFiles.weights))).get(
    "transformer.wte.weight",
  )!;
  const width = shape[1]!;
  const result = new Float32Array(names.length * width);
  for (const [row, name] of names.entries()) {
    const tokens = tokenizer.encode(` ${name}`);
    for (const token of tokens) {
      for (let i = 0; i < width; i++) result[row * width + i]! += data[token * width + i]! / tokens.length;
    }
  }
  return { dtype: "float32", shape: [names.length, width], data: result };
}
