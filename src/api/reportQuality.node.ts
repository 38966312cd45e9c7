/** What each way to keep a model's weights costs in quality, on images and texts of a user. */
import { withClosing } from "../base/dispose.js";
import { OpenFlamingoError } from "../base/errors.js";
import { anyFunction, oneOf, optional, recordOf } from "../base/fields.js";
import type { Progress } from "../base/progress.js";
import { readModelFolder, requireCheckpoints } from "../checkpoints/modelFolder.node.js";
import { type OpenableModel, pathsOf } from "../checkpoints/openableModel.js";
import { openCheckpoint } from "../checkpoints/openCheckpoint.node.js";
import { readHubSettings } from "../hub/settings.node.js";
import { choicesFor } from "../quality/choices.js";
import { compareFormats, type QualityReport } from "../quality/report.js";
import { fetchModel } from "../released/fetchModel.node.js";
import { isHubName, requireReleased } from "../released/releasedModels.node.js";
import { openKernelThreads } from "../weights/kernelThreads.node.js";
import type { Kept, KeptFormat } from "../weights/weightFormats.js";
import { readConfigs } from "./configs.js";
import { fittingChoices, type TooLarge } from "./fittingChoices.js";
import { imageReader } from "./load.js";
import { node } from "./platform.node.js";
import type { PrepareOptions } from "./prepare.node.js";
import type { Shot } from "./prompt.js";
import { readOptions, signal } from "./readOptions.js";
import { samplesOf } from "./samples.js";
import { shotsReader } from "./shots.js";

export interface ReportOptions extends Pick<PrepareOptions, "keep" | "calibrate" | "signal" | "onNotice"> {
  /** Called while files are fetched and read, with bytes done and in all, and the name of the format that is measured. */
  readonly onProgress?: Progress | undefined;
}

/** A report, with the formats that were left out because they need more memory than is free. */
export interface ModelReport extends QualityReport {
  readonly tooLarge: readonly TooLarge[];
}

const readers = {
  keep: optional(recordOf(oneOf<KeptFormat>("fp32", "int8")), new Map() as Kept),
  calibrate: optional(shotsReader("caption")),
  signal,
  onProgress: optional(anyFunction<Progress>()),
  onNotice: optional(anyFunction<(text: string) => void>(), node.warn),
};

/**
 * Compares all formats of a model's weights: the errors of its products, the loss on texts, and greedy answers beside
 * those of float32, or of the most exact format that fits in memory. Nothing is written.
 *
 * @param model as for `prepare`
 * @param texts images with the texts that are wanted for them, as `readShots` reads them. Others than those of
 *   `calibrate`, if the report is to say what calibration is good for
 * @throws OpenFlamingoError as `load`; `memory` where no format fits; `usage` without any text
 */
export async function reportQuality(
  model: string,
  texts: readonly Shot[],
  options: ReportOptions = {},
): Promise<ModelReport> {
  const { calibrate, ...how } = readOptions("reportQuality", readers, options);
  readOptions("reportQuality", { texts: shotsReader("caption") }, { texts });
  if (texts.length === 0 || calibrate?.length === 0) {
    const [name, where] = texts.length === 0 ? ["texts", "report"] : ["calibrate", "calibrate"];
    throw new OpenFlamingoError("usage", `${name} is an empty list`, {
      hint: "Give images with texts.",
      data: { options: [where] },
    });
  }
  const description = await found(model, how);
  const configs = await readConfigs(node, description, how.signal);
  const { config, tokenizer } = configs;
  const { free } = node.memory();
  const choices = choicesFor(calibrate !== undefined);
  const { fitting, tooLarge } = fittingChoices(choices, free, model, config, how.keep);
  const read = (shots: readonly Shot[]) =>
    samplesOf(shots, configs, imageReader(node, configs, {}), how.signal);
  return withClosing(async (closing) => {
    const at = pathsOf(description);
    const opened = async (...[part, path]: Parameters<typeof at>) =>
      closing(await openCheckpoint(at(part, path), how));
    const measured = {
      config,
      checkpoints: {
        vision: await opened("vision", description.vision.weights),
        language: await opened("language", description.language.weights),
        flamingo: await opened("flamingo", description.flamingo.checkpoint),
      },
      runtime: closing(await node.openRuntime(undefined, how.onNotice)),
      pool: closing(openKernelThreads()),
      imageToken: tokenizer.special.image,
      endOfChunk: tokenizer.special.endOfChunk,
    };
    const calibration = calibrate && (await read(calibrate));
    const report = await compareFormats(measured, await read(texts), {
      ...how,
      calibration,
      choices: fitting,
    });
    return { ...report, tooLarge };
  });
}

async function found(
  model: string,
  { signal, onProgress, onNotice }: Omit<ReportOptions, "calibrate" | "keep">,
): Promise<OpenableModel> {
  if (!(await isHubName(model))) return requireCheckpoints(await readModelFolder(model, signal));
  const settings = await readHubSettings();
  return fetchModel(requireReleased(model), { settings, preferCache: true, signal, onProgress, onNotice });
}
