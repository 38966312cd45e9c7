/** The model whose connectors are trained: a folder, a released model by its name, or the one of the package. */
import { bundledModel } from "../api/bundledModel.node.js";
import { OpenFlamingoError } from "../base/errors.js";
import type { Progress } from "../base/progress.js";
import { readModelFolder } from "../checkpoints/modelFolder.node.js";
import type { OpenableModel } from "../checkpoints/openableModel.js";
import { readHubSettings } from "../hub/settings.node.js";
import { fetchModel } from "../released/fetchModel.node.js";
import { isHubName, requireReleased } from "../released/releasedModels.node.js";

export interface BaseModelOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: Progress | undefined;
  readonly onNotice?: ((text: string) => void) | undefined;
}

/**
 * @param model the folder of a model with its checkpoints, or a released model's name; the package's own if left out
 * @param every how many blocks of the language model come between gated blocks, where it is not as the model has it
 * @param fromScratch whether the connectors' checkpoint is not read, and need not be there
 * @throws OpenFlamingoError `usage` for a prepared folder; `model-…`; of a released model `network`, `disk`
 */
export async function openBaseModel(
  model: string = bundledModel(),
  every: number | undefined,
  fromScratch: boolean,
  { signal, onProgress, onNotice }: BaseModelOptions,
): Promise<OpenableModel> {
  const found = (await isHubName(model))
    ? await fetchModel(requireReleased(model), {
        ...{ settings: await readHubSettings(), preferCache: true, signal, onProgress, onNotice },
      })
    : await readModelFolder(model, signal, { mayLackCheckpoint: fromScratch });
  if ("prepared" in found) {
    throw new OpenFlamingoError(
      "usage",
      `training: ${model} is a prepared folder, which has no checkpoints`,
      {
        hint: "Give the model that it was prepared from.",
        data: { options: ["model"] },
      },
    );
  }
  if (every === undefined) return found;
  return { ...found, flamingo: { ...found.flamingo, crossAttentionEvery: every } };
}
