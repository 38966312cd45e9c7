/** The options that several commands share. Contract: "`--json`". */
import { type Command, InvalidArgumentError, Option } from "commander";
import type { BackendName } from "../api/loadOptions.js";
import type { GenerateOptions } from "../api/options.js";
import type { ReadGeneration } from "../api/settings.js";
import { type CacheFormat, cacheFormats } from "../runner/cacheFormats.js";
import { type WeightFormat, weightFormats } from "../weights/weightFormats.js";

/** A whole number from `least` on. */
export const count =
  (least: number) =>
  (text: string): number => {
    const value = Number(text);
    if (/^\d+$/.test(text) && Number.isSafeInteger(value) && value >= least) return value;
    throw new InvalidArgumentError(`Not a whole number from ${least} on.`);
  };

export const number = (text: string): number => {
  const value = Number(text);
  if (text.trim() !== "" && Number.isFinite(value)) return value;
  throw new InvalidArgumentError("Not a number.");
};

/** An option that may be given several times. */
export const repeated = (text: string, before: readonly string[] = []): readonly string[] => [
  ...before,
  text,
];

/** What stands for images among the arguments of a command. */
export const imagesArgument = "image files, folders of them, or - for standard input";

/** What all commands with a model have. */
export interface ModelFlags {
  readonly model?: string;
  readonly threads?: number;
  readonly backend?: BackendName;
  readonly engine?: BackendName;
  readonly weights?: WeightFormat;
  readonly cache?: CacheFormat;
  readonly memoryCheck?: "on" | "off";
  readonly json?: true;
  readonly quiet?: true;
}

export const threadsOption = (): Option =>
  new Option("--threads <n>", "number of threads; all cores if left out").argParser(count(1));

export const modelOptions = (): readonly Option[] => [
  new Option(
    "--model <name>",
    "a model's folder, or a released model's name, which is fetched and prepared at first use; the one that comes " +
      "with the program if left out",
  ),
  threadsOption(),
  new Option("--backend <name>", "which backend computes: ort.ffi or ort.binding"),
  new Option("--engine <name>", "the same as --backend").hideHelp(),
  new Option(
    "--weights <format>",
    "the weights' format (default: int4 for a released model's name, for a folder the one it was prepared in, or fp32)",
  ).choices(weightFormats),
  new Option("--cache <format>", "the format of keys and values of long prompts (default: fp32)").choices(
    cacheFormats,
  ),
  new Option(
    "--memory-check <when>",
    "off: open a model that will not fit in what memory is free (default: on)",
  ).choices(["on", "off"]),
  new Option("--json", "one JSON object a line"),
  new Option("--quiet", "no progress and no notices"),
];

export interface GenerationFlags extends ModelFlags, Omit<Partial<ReadGeneration>, "processors" | "signal"> {
  readonly shots?: string;
}

export const shotsOption = (): Option => new Option("--shots <file>", "examples: a JSON list");

export const generationOptions = (): readonly Option[] => [
  shotsOption(),
  new Option("--max-new-tokens <n>", "the most tokens to generate (default: 20)").argParser(count(0)),
  new Option("--min-new-tokens <n>", "tokens before which the answer may not end").argParser(count(0)),
  new Option("--stop <text>", "end the answer at this text; may be repeated").argParser(repeated),
  new Option("--beams <n>", "search with so many beams").argParser(count(1)),
  new Option("--length-penalty <x>", "power of the length that a beam's score is divided by").argParser(
    number,
  ),
  new Option("--beam-length <what>", "what a beam's length counts").choices(["total", "generated"]),
  new Option("--early-stopping [when]", "end a beam search as soon as there are enough; or =never").argParser(
    earlyStopping,
  ),
  new Option("--return-sequences <n>", "how many answers to give").argParser(count(1)),
  new Option("--temperature <x>", "sample; below 1 probable tokens become more probable").argParser(number),
  new Option("--top-k <n>", "sample among the n most probable tokens").argParser(count(1)),
  new Option("--top-p <x>", "sample among the most probable tokens of this probability").argParser(number),
  new Option("--min-p <x>", "sample among tokens of this share of the most probable").argParser(number),
  new Option("--seed <n>", "random seed for sampling (default: 0)").argParser(count(0)),
  new Option("--repetition-penalty <x>", "above 1: less of what was said already").argParser(number),
  noRepeatOption(),
  new Option("--log-probs", "with --json: the log-probability of every token"),
];

/** Its name begins with "no": commander would take it for the opposite of an option. */
function noRepeatOption(): Option {
  const option = new Option("--no-repeat-ngram-size <n>", "no n tokens in a row twice").argParser(count(0));
  option.negate = false;
  return option;
}

function earlyStopping(text: string): true | "never" {
  if (text === "true") return true;
  if (text === "never") return text;
  throw new InvalidArgumentError("It is a flag, or =never.");
}

export const addOptions = (command: Command, ...groups: readonly (readonly Option[])[]): Command =>
  groups.flat().reduce((to, option) => to.addOption(option), command);

/** The library's options for what was given: what the commands read themselves is left out. */
export function generation(flags: GenerationFlags): GenerateOptions {
  const {
    shots: _shots,
    model: _model,
    threads: _threads,
    backend: _backend,
    engine: _engine,
    weights: _weights,
    cache: _cache,
    memoryCheck: _memoryCheck,
    json: _json,
    quiet: _quiet,
    ...options
  } = flags;
  return options as GenerateOptions; // which of them go together is for the library to check
}
