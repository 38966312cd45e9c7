/** From what was given to a value for every option: all that is wrong is said at once. */
import { OpenFlamingoError } from "../../base/errors.js";
import type { Fault } from "../../base/fields.js";
import type { JsonObject } from "../../base/json.js";
import { nearest } from "../../base/nearest.js";
import { quoted } from "../../base/quoted.js";
import { defaultOf, readerOf, type TrainingOption } from "./kinds.js";
import { type TrainingOptions, trainingOptions } from "./table.js";

/** Where messages say that an option was given: `line 3 of train.yaml`; undefined: as an option of the call. */
export type PlaceOf = (name: string) => string | undefined;

const hint = "docs/training-options.md has every option with its range.";

/**
 * Checks the options that were given and fills in the others.
 *
 * @param given values by the options' names; undefined ones are as if they were not given
 * @throws OpenFlamingoError `usage` with everything that is wrong; its data have the `options` concerned
 * @example
 * const { learningRate, warmupSteps } = readTrainingOptions({ warmupSteps: 100 });
 */
export function readTrainingOptions(given: JsonObject, placeOf: PlaceOf = () => undefined): TrainingOptions {
  const faults: Fault[] = [];
  const values: Record<string, unknown> = {};
  const names = Object.keys(given).filter((name) => given[name] !== undefined);
  for (const name of names) {
    const option = optionOf(name);
    if (option === undefined) faults.push({ at: name, what: unknownName(name), unsupported: true });
    else values[name] = readerOf(option)(given[name], name, (fault) => faults.push(fault));
  }
  const asPublished = values.asPublished === true;
  for (const [name, option] of Object.entries(trainingOptions)) {
    if (Object.hasOwn(values, name)) continue;
    const isFlaw = option.kind === "boolean" && option.published;
    values[name] = isFlaw ? asPublished : defaultOf(option, values.images !== undefined);
  }
  // Each option has been read by its own reader, or has its default.
  const options = values as unknown as TrainingOptions;
  if (faults.length === 0) faults.push(...contradictions(options, new Set(names)));
  if (faults.length > 0) throw rejected(faults, placeOf);
  return options;
}

/** The option of this name, and of no name that every object has. */
export const optionOf = (name: string): TrainingOption | undefined =>
  Object.hasOwn(trainingOptions, name) ? trainingOptions[name] : undefined;

/** What is said of a name that no option has. */
export function unknownName(name: string): string {
  const known = Object.keys(trainingOptions);
  const byFlag = known.find((each) => trainingOptions[each]!.reference?.slice(2) === name);
  const meant = byFlag ?? nearest(name, known);
  return `is no option of the training${meant === undefined ? "" : `: did you mean ${meant}?`}`;
}

function rejected(faults: readonly Fault[], placeOf: PlaceOf): OpenFlamingoError {
  const lines = faults.map(({ at, what }) => {
    const name = at.match(/^\w+/)?.[0] ?? at;
    const place = placeOf(name);
    // A name that is not known is whatever was written.
    const shown = optionOf(name) ? at : quoted(at);
    return `${place === undefined ? "" : `${place}: `}${shown} ${what}`;
  });
  const shown = lines.slice(0, 50);
  const rest = lines.length > shown.length ? [`and ${lines.length - shown.length} more`] : [];
  return new OpenFlamingoError("usage", `the training's options: ${[...shown, ...rest].join("; ")}`, {
    hint,
    data: { options: [...new Set(faults.map(({ at }) => at.match(/^\w+/)?.[0] ?? at))] },
  });
}

/** Options that do not go with each other. */
function contradictions(options: TrainingOptions, given: ReadonlySet<string>): Fault[] {
  const faults: Fault[] = [];
  const report = (at: string, what: string) => faults.push({ at, what, unsupported: false });
  const { mmc4MinNumImages, mmc4MaxNumImages, rank, worldSize, images, captions } = options;
  if (mmc4MinNumImages > mmc4MaxNumImages) {
    report(
      "mmc4MinNumImages",
      `is ${mmc4MinNumImages}, more than mmc4MaxNumImages, which is ${mmc4MaxNumImages}`,
    );
  }
  if (rank >= worldSize) report("rank", `is ${rank}; of ${worldSize} processes the last is ${worldSize - 1}`);
  if (images !== undefined && captions === undefined) report("images", "needs captions beside it");
  if (captions !== undefined && images === undefined) report("captions", "needs images beside it");
  const { laionShards, mmc4Shards } = options;
  if (images !== undefined && laionShards.length + mmc4Shards.length > 0) {
    report("images", "is given beside shards: pack the folder, or train on one of the two");
  }
  if (laionShards.length > 0 && mmc4Shards.length > 0) {
    // An epoch ends when either kind of data does.
    const laion = Math.floor(options.trainNumSamplesLaion / options.batchSizeLaion);
    const mmc4 = Math.floor(options.trainNumSamplesMmc4 / options.batchSizeMmc4);
    if (laion !== mmc4) {
      const both = `${laion} batches an epoch, and trainNumSamplesMmc4 and batchSizeMmc4 ${mmc4}`;
      report("trainNumSamplesLaion", `with batchSizeLaion makes ${both}: they must be as many`);
    }
  }
  if (options.crossAttnEveryNLayers !== undefined && !options.fromScratch) {
    report("crossAttnEveryNLayers", "is the model's own unless fromScratch is true");
  }
  for (const [name, of] of [
    ["captionSteps", "captionImages"],
    ["validationSteps", "validationShards"],
  ] as const) {
    if (given.has(name) && options[of].length === 0) report(name, `needs ${of}`);
  }
  return faults;
}

/**
 * The options of a run that is resumed: which of them differ from those that it was begun with, and may not.
 *
 * @returns their names; empty where the run goes on as it would have
 */
export const changedOptions = (begun: JsonObject, now: TrainingOptions): readonly string[] =>
  Object.entries(trainingOptions)
    .filter(([, { mayChange = false }]) => !mayChange)
    .map(([name]) => name)
    .filter((name) => JSON.stringify(begun[name]) !== JSON.stringify(now[name as keyof TrainingOptions]));
