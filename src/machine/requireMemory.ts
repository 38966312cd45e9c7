/** Says that a model will not fit before it is opened, and what would fit, in place of a process that is killed. */
import { shownSize } from "../base/bytes.js";
import { OpenFlamingoError } from "../base/errors.js";
import type { FlamingoConfig } from "../models/flamingo.js";
import { type ReleasedModel, zoo } from "../models/zoo.js";
import { weightUses } from "../onnx/compile.js";
import type { CacheFormat } from "../runner/cacheFormats.js";
import { decodeGraph, encodeGraph } from "../runner/graphs.js";
import { formatsOf, type WeightFormat } from "../weights/weightFormats.js";
import { type Forecast, forecastMemory, inFormat, type ProgramWeights, type WeightsIn } from "./forecast.js";
import type { Memory } from "./memory.js";

/** A model that is about to be opened. */
export interface Opening {
  /** What messages call it. */
  readonly name: string;
  readonly config: FlamingoConfig;
  readonly weights: ProgramWeights;
  readonly format: WeightFormat;
  readonly weightsIn: WeightsIn;
  /** As in `ForecastOptions`. */
  readonly isCopying?: boolean | undefined;
  readonly cacheFormat?: CacheFormat | undefined;
  /** Other ways to open the same model, the most exact first. */
  readonly others: readonly Way[];
}

export interface Way {
  readonly format: WeightFormat;
  readonly weightsIn: WeightsIn;
  /** What a user does for it. */
  readonly how: string;
}

/** What formats are called in messages. */
export const formatNames: Readonly<Record<WeightFormat, string>> = {
  fp32: "float32",
  fp16: "float16",
  int8: "int8",
  int4: "int4",
};

/** The weights of a model's programs in a format, from its configuration alone. */
export function programWeights(config: FlamingoConfig, format: WeightFormat): ProgramWeights {
  const plain = [encodeGraph(config), decodeGraph(config)].map(weightUses);
  return formatsOf(format) === undefined ? plain : inFormat(plain, formatsOf(format));
}

/**
 * Compares what a model will take with what is free.
 *
 * @throws OpenFlamingoError `memory` with both, and with what would fit
 */
export function requireMemory(memory: Memory, opening: Opening): void {
  const { name, config, weights, format, weightsIn, isCopying, cacheFormat, others } = opening;
  const forecast = forecastMemory(config, weights, { weightsIn, isCopying, cacheFormat });
  const { free, limitedBy } = memory;
  if (forecast.total <= free) return;
  const where = limitedBy === undefined ? "" : ` in the control group ${limitedBy}`;
  const inWay = ({ format, weightsIn }: Way): Forecast =>
    forecastMemory(config, inFormat(weights, formatsOf(format)), { weightsIn, isCopying, cacheFormat });
  const fitting = others.map((way) => ({ ...way, ...inWay(way) })).filter(({ total }) => total <= free);
  const ways = [
    ...fitting.slice(0, 1).map(({ how, total }) => `${how} (${shownSize(total)})`),
    ...smallerModel(free, config, weights),
  ];
  const advice =
    ways.length > 0 ? `Try ${ways.join(" or ")}` : "Close other programs, or take a larger machine";
  throw new OpenFlamingoError(
    "memory",
    `${name}: needs ${shownSize(forecast.total)} as ${formatNames[format]}, ${shownSize(free)} are free${where}`,
    {
      hint: `${advice}; memoryCheck off opens it all the same.`,
      data: { needed: forecast.total, free, options: ["weights", "memoryCheck"] },
    },
  );
}

/**
 * The same for a released model, before it is fetched.
 *
 * @throws OpenFlamingoError `memory`
 */
export function requireMemoryFor(
  memory: Memory,
  { name, config }: Pick<ReleasedModel, "name" | "config">,
  format: WeightFormat,
  cacheFormat?: CacheFormat,
): void {
  const weights = programWeights(config, format);
  const others = lighterFormats(format).map(
    (format): Way => ({ format, weightsIn: "files", how: `weights ${format}` }),
  );
  const weightsIn = placeOf(format);
  requireMemory(memory, { name, config, weights, format, weightsIn, cacheFormat, others });
}

/** Where the weights of a released model lie: in blocks it is prepared at first use, and mapped. */
export const placeOf = (format: WeightFormat): WeightsIn =>
  formatsOf(format) === undefined ? "memory" : "files";

/** Formats that take less memory, the most exact first. */
export function lighterFormats(format: WeightFormat): readonly WeightFormat[] {
  const lighter = ["int8", "int4"] as const;
  return format === "int4" ? [] : format === "int8" ? lighter.slice(1) : lighter;
}

/** The largest released model that is smaller than this one and fits in 4 bits. */
function smallerModel(free: number, config: FlamingoConfig, weights: ProgramWeights): readonly string[] {
  const mapped = { weightsIn: "files" } as const;
  const sizeOf = (config: FlamingoConfig, weights: ProgramWeights) =>
    forecastMemory(config, inFormat(weights, undefined), mapped).total;
  const fitting = zoo.flatMap(({ name, config: other }) => {
    const plain = programWeights(other, "fp32");
    if (sizeOf(other, plain) >= sizeOf(config, weights)) return [];
    const { total } = forecastMemory(other, inFormat(plain, formatsOf("int4")), mapped);
    return total <= free ? [{ name, total }] : [];
  });
  const [largest] = fitting.sort((a, b) => b.total - a.total);
  return largest ? [`the model ${largest.name} (${shownSize(largest.total)} as int4)`] : [];
}
