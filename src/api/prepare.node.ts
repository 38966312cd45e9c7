/** Preparing models, from folders and by their names on the hub. */
import { createHash } from "node:crypto";
import { stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import { shownSize } from "../base/bytes.js";
import { OpenFlamingoError } from "../base/errors.js";
import { anyFunction, integer, oneOf, optional, recordOf } from "../base/fields.js";
import type { Progress } from "../base/progress.js";
import { quoted } from "../base/quoted.js";
import { readModelFolder, requireCheckpoints } from "../checkpoints/modelFolder.node.js";
import type { OpenableModel } from "../checkpoints/openableModel.js";
import { dataFile } from "../checkpoints/preparedIndex.js";
import type { HubOptions } from "../hub/hub.node.js";
import { type HubSettings, readHubSettings } from "../hub/settings.node.js";
import { forecastMemory, inFormat } from "../machine/forecast.js";
import { preparedBytes } from "../machine/preparedBytes.js";
import { programWeights } from "../machine/requireMemory.js";
import { digestOf, type Sample } from "../prepare/sample.node.js";
import { type WriteFolderOptions, type Written, writeFolder } from "../prepare/writeFolder.node.js";
import { fetchModel } from "../released/fetchModel.node.js";
import {
  findPrepared,
  ofOtherVersions,
  preparedFolder,
  unfinishedBytes,
} from "../released/preparedModels.node.js";
import { type HubModel, isHubName, requireReleased } from "../released/releasedModels.node.js";
import {
  type FormatSettings,
  formatsOf,
  type Kept,
  type KeptFormat,
  type WeightFormat,
  weightFormats,
} from "../weights/weightFormats.js";
import { type Configs, readConfigs } from "./configs.js";
import { imageReader } from "./load.js";
import { node } from "./platform.node.js";
import type { Shot } from "./prompt.js";
import { readOptions, signal } from "./readOptions.js";
import { samplesOf } from "./samples.js";
import { shotsReader } from "./shots.js";

export interface PrepareOptions {
  /** `int4` (the default), `int8`, `fp16` or `fp32`. */
  readonly weights?: WeightFormat | undefined;
  /** How many numbers share a scale: 256 is the fastest, 32 the most exact. Default: 128. */
  readonly block?: number | undefined;
  /**
   * Tensors that are kept in a more exact format than `weights`: parts of their names, with `int8` or `fp32`, the first
   * part that fits counts: `{ wte: "int8", "blocks.0.": "fp32" }`. Default: none.
   */
  readonly keep?: Readonly<Record<string, KeptFormat>> | undefined;
  /**
   * With `int4`: images with texts, as `readShots` reads them, which the model reads to find out which columns of its
   * matrices count most; their weights are then kept the most exactly. The weights are written twice for it, and the
   * model needs the memory that it will be opened in. Default: all columns count the same.
   */
  readonly calibrate?: readonly Shot[] | undefined;
  /** Stops the work, which goes on from there when it is begun again. */
  readonly signal?: AbortSignal | undefined;
  /**
   * Called while files are fetched (`fetching NAME FILE`) and weights are written (`preparing`), with bytes done and in
   * all, of float32 in the latter; with `calibrate` also with samples done and in all (`calibrating`).
   */
  readonly onProgress?: Progress | undefined;
  /**
   * Called once for each thing that a user should know, such as another process that prepares the same. Default: a
   * warning of the process, of the type `OpenFlamingoNotice`.
   */
  readonly onNotice?: ((text: string) => void) | undefined;
}

const readers = {
  weights: optional(oneOf<WeightFormat>(...weightFormats), "int4"),
  block: optional(integer(16, 256), 128),
  keep: optional(recordOf(oneOf<KeptFormat>("fp32", "int8")), new Map() as Kept),
  calibrate: optional(shotsReader("caption")),
  signal,
  onProgress: optional(anyFunction<Progress>()),
  onNotice: optional(anyFunction<(text: string) => void>(), node.warn),
};

/** What was prepared. */
export interface Prepared extends Written {
  readonly folder: string;
}

/**
 * Writes a folder that `load` opens. Interrupted, it goes on where it was; the folder is there when it is whole.
 *
 * @param model the folder of a model with its checkpoints; or the name of a released model, of which what is missing in
 *   the hub's cache folder is fetched
 * @param output the folder to be made, which must not be there. Default: of a folder, beside it, with the format in its
 *   name; of a name, the place where `load` finds it by that name: what is there is left as it is
 * @throws OpenFlamingoError as `load`; `disk`; `usage` where the output is there
 */
export async function prepare(
  model: string,
  output?: string,
  options: PrepareOptions = {},
): Promise<Prepared> {
  const how = readOptions("prepare", readers, options);
  requireFitting(how);
  if (await isHubName(model)) {
    const released = requireReleased(model);
    const settings = await readHubSettings();
    if (output === undefined) return prepareReleased(released, settings, how);
    await requireAbsent(output); // before anything is fetched
    const folder = resolve(output);
    const prepared = { folder, bytes: async () => preparedBytes(released, how) };
    return write(folder, await fetchModel(released, hubOptions(settings, how), { prepared }), how);
  }
  const folder = resolve(output ?? `${model.replace(/[/\\]+$/, "")}-${how.weights}`);
  await requireAbsent(folder);
  return write(folder, requireCheckpoints(await readModelFolder(model, how.signal)), how);
}

/** How to prepare, with what `PrepareOptions` leave open. */
export interface How extends FormatSettings, Pick<PrepareOptions, "calibrate" | "signal" | "onProgress"> {
  readonly onNotice: (text: string) => void;
}

/** @throws OpenFlamingoError `usage` for settings that do not go together */
function requireFitting({ weights, keep, calibrate }: How): void {
  const rank = (format: WeightFormat) => weightFormats.indexOf(format);
  const lower = [...keep].find(([, format]) => rank(format) >= rank(weights));
  if (lower) {
    const [part, format] = lower;
    throw unfit(["keep", "weights"], `keep ${quoted(part)} as ${format} is no more exact than ${weights}`);
  }
  if (calibrate && weights !== "int4") {
    throw unfit(["calibrate", "weights"], `calibrate is for int4, and weights is ${weights}`);
  }
  if (calibrate?.length === 0) throw unfit(["calibrate"], "calibrate is an empty list");
}

const unfit = (options: readonly string[], what: string) =>
  new OpenFlamingoError("usage", what, { hint: "Leave one of them out, or change it.", data: { options } });

/** The folder in which `load` finds a released model, written where it is not there. */
export async function prepareReleased(model: HubModel, settings: HubSettings, how: How): Promise<Prepared> {
  const { keep, calibrate, onNotice } = how;
  const found = calibrate
    ? undefined // what was prepared with the same samples is known when they are read
    : await findPrepared(model, settings, { ...how, variant: variantOf(keep) });
  if (found) {
    onNotice(`${model.name} is prepared as ${how.weights} already`);
    return asItIs(found.path);
  }
  const format = { ...how, variant: variantOf(keep) };
  const folders = calibrate ? 2 : 1; // what is read for the calibration lies beside what is made after it
  const bytes = async () =>
    folders * preparedBytes(model, how) - (await unfinishedBytes(model, settings, format));
  const prepared = { folder: settings.assets, bytes };
  const fetched = await fetchModel(model, hubOptions(settings, how), { prepared });
  const reading = await read(fetched, how);
  const variant = variantOf(keep, reading.calibration?.samples);
  const folder = preparedFolder(model, settings, { ...how, variant }, fetched.sources);
  const written = await writeModel(folder, fetched, reading, how);
  if (!written) return asItIs(folder);
  onNotice(
    `${model.name} is prepared as ${how.weights}: what was downloaded is not needed for it any more. To remove that: ` +
      `openflamingo models --downloaded ${fetched.repositories.map((each) => `--remove ${each}`).join(" ")}`,
  );
  for (const { path } of await ofOtherVersions(model, settings, how)) {
    onNotice(`${path} is of another version of this program, and may be removed unless that is in use`);
  }
  return { folder, ...written };
}

/** What the name of a prepared folder tells of settings beside format and block. */
function variantOf(keep: Kept, samples?: readonly Sample[]): string | undefined {
  if (keep.size === 0 && !samples) return undefined;
  const settings = JSON.stringify([[...keep], samples ? digestOf(samples) : null]);
  return createHash("sha256").update(settings).digest("hex").slice(0, 8);
}

const hubOptions = (settings: HubSettings, { signal, onProgress, onNotice }: How): HubOptions => ({
  ...{ settings, preferCache: true, signal, onProgress, onNotice },
});

const asItIs = async (folder: string): Promise<Prepared> => {
  const { size } = await stat(join(folder, dataFile));
  return { folder, bytes: size, errors: new Map() };
};

/** What is read before anything is written: configurations, and samples. */
interface Reading {
  readonly configs: Configs;
  readonly calibration: WriteFolderOptions["calibration"];
}

async function read(model: OpenableModel, { calibrate, signal, ...how }: How): Promise<Reading> {
  const configs = await readConfigs(node, model, signal);
  if (!calibrate) return { configs, calibration: undefined };
  requireRoom(model.name, configs, how);
  const samples = await samplesOf(calibrate, configs, imageReader(node, configs, {}), signal);
  return { configs, calibration: { samples, imageToken: configs.tokenizer.special.image } };
}

/** @throws OpenFlamingoError `memory` where the model does not fit for the calibration run */
function requireRoom(name: string, { config }: Configs, how: FormatSettings): void {
  const weights = inFormat(programWeights(config, "fp32"), formatsOf(how.weights, how));
  const { total } = forecastMemory(config, weights, { weightsIn: "files" });
  const { free } = node.memory();
  if (total <= free) return;
  const what = `${name}: calibration needs ${shownSize(total)}, ${shownSize(free)} are free`;
  throw new OpenFlamingoError("memory", what, {
    hint: "Close other programs, or prepare the model without calibration.",
    data: { needed: total, free },
  });
}

async function writeModel(
  folder: string,
  model: OpenableModel,
  { configs, calibration }: Reading,
  { weights, block, keep, signal, onProgress, onNotice }: How,
): Promise<Written | undefined> {
  return writeFolder(folder, model, configs, {
    ...{ weights, block, keep, calibration, signal, onProgress },
    onWaiting: () => onNotice(`waiting for another process that prepares ${model.name}`),
  });
}

async function write(folder: string, model: OpenableModel, how: How): Promise<Prepared> {
  const written = await writeModel(folder, model, await read(model, how), how);
  if (!written) throw isThere(folder);
  return { folder, ...written };
}

async function requireAbsent(folder: string): Promise<void> {
  if (await stat(folder).catch(() => undefined)) throw isThere(folder);
}

const isThere = (folder: string) =>
  new OpenFlamingoError("usage", `${folder}: is there already`, {
    hint: "Remove it, or name another folder.",
  });
