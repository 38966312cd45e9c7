/** Which released models would fit on this machine, in which format, and how fast they would be at best. */
import { zoo } from "../models/zoo.js";
import { formatsOf, type WeightFormat, weightFormats } from "../weights/weightFormats.js";
import { bytesPerToken, forecastMemory, inFormat } from "./forecast.js";
import type { Memory } from "./memory.js";
import { placeOf, programWeights } from "./requireMemory.js";
import type { Speed } from "./speed.js";

export interface ReleasedFit {
  /** Models of one form. */
  readonly names: readonly string[];
  readonly format: WeightFormat;
  /** Bytes that it will take; in blocks, of a prepared folder. */
  readonly memory: number;
  readonly isFitting: boolean;
  /** At most: every weight is read once for each. */
  readonly tokensPerSecond: number;
}

/** In memory, fp16 is fp32. */
const shownFormats = weightFormats.filter((format) => format !== "fp16");

export function releasedFits({ free }: Memory, speed: Speed): readonly ReleasedFit[] {
  const languages = [...new Set(zoo.map(({ config }) => config.language))];
  return languages.flatMap((language) => {
    const models = zoo.filter(({ config }) => config.language === language);
    const { config } = models[0]!;
    const plain = programWeights(config, "fp32");
    return shownFormats.map((format) => {
      const weights = inFormat(plain, formatsOf(format));
      const memory = forecastMemory(config, weights, { weightsIn: placeOf(format) }).total;
      const bandwidth = format === "int4" ? speed.int4Bandwidth : speed.bandwidth;
      const tokensPerSecond = (1e9 * bandwidth) / bytesPerToken(weights[1]!, language);
      return {
        names: models.map(({ name }) => name),
        format,
        memory,
        isFitting: memory <= free,
        tokensPerSecond,
      };
    });
  });
}
