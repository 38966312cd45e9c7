/** A model of any size that takes no room: its checkpoints have true headers, and holes in place of numbers. */
import {
  closeSync,
  cpSync,
  ftruncateSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { readConfigs } from "../../src/api/configs.js";
import { node } from "../../src/api/platform.node.js";
import { elementCount } from "../../src/base/dtypes.js";
import { readModelFolder, requireCheckpoints } from "../../src/checkpoints/modelFolder.node.js";
import { programWeights } from "../../src/machine/requireMemory.js";
import { randomModelFolder } from "../goldens.js";

const json = (path: string) => JSON.parse(readFileSync(path, "utf8"));

function writeSparse(file: string, tensors: readonly (readonly [string, readonly number[]])[]): void {
  let end = 0;
  const entries = tensors.map(([name, shape]) => {
    const start = end;
    end += 2 * elementCount(shape);
    return [name, { dtype: "BF16", shape, data_offsets: [start, end] }];
  });
  const header = Buffer.from(JSON.stringify(Object.fromEntries(entries)));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  const opened = openSync(file, "w");
  writeSync(opened, Buffer.concat([length, header]));
  ftruncateSync(opened, 8 + header.length + end);
  closeSync(opened);
}

/** The bundled model with a language model of this size, in a folder that is made. */
export async function sparseModel(
  folder: string,
  { layers, hiddenSize, heads }: { layers: number; hiddenSize: number; heads: number },
): Promise<void> {
  cpSync(randomModelFolder, folder, { recursive: true });
  const { language, flamingo } = requireCheckpoints(await readModelFolder(folder));
  const languageJson = { ...json(language.config), d_model: hiddenSize, n_layers: layers, n_heads: heads };
  writeFileSync(language.config, JSON.stringify(languageJson));
  const { config } = await readConfigs(node, await readModelFolder(folder), undefined);
  const weights = programWeights(config, "fp32");
  const shapes = new Map(weights.flat().map(({ tensor, from }) => [tensor, from]));
  const isTrained = (tensor: string) => /^perceiver\.|gated_cross_attn_layer/.test(tensor);
  const ofLanguage = [...shapes].filter(([tensor]) => /^lang_encoder\./.test(tensor) && !isTrained(tensor));
  for (const file of readdirSync(language.weights)) {
    if (file.startsWith("pytorch_model")) rmSync(join(language.weights, file));
  }
  writeSparse(
    join(folder, "lang/model.safetensors"),
    ofLanguage.map(([tensor, shape]) => [tensor.replace("lang_encoder.", ""), shape] as const),
  );
  writeSparse(
    flamingo.checkpoint,
    [...shapes].filter(([tensor]) => isTrained(tensor)),
  );
}
