/** The options that several commands share. Contract: "`--json`". */
import { type Command, InvalidArgumentError, Option } from "commander";
import type { GenerateOptions } from "../api/flamingo.js";

/** A whole number from `least` on. */
const count =
  (least: number) =>
  (text: string): number => {
    const value = Number(text);
    if (/^\d+$/.test(text) && Number.isSafeInteger(value) && value >= least) return value;
    throw new InvalidArgumentError(`Not a whole number from ${least} on.`);
  };

/** An option that may be given several times. */
export const repeated = (text: string, before: readonly string[] = []): readonly string[] => [
  ...before,
  text,
];

/** What all commands with a model have. */
export interface ModelFlags {
  readonly model?: string;
  readonly threads?: number;
  readonly engine?: string;
  readonly json?: true;
  readonly quiet?: true;
}

export const modelOptions = (): readonly Option[] => [
  new Option("--model <folder>", "a model's folder; the one that comes with the program if left out"),
  new Option("--threads <n>", "threads that compute; all cores if left out").argParser(count(1)),
  new Option("--engine <name>", "which runtime computes (ort.ffi)"),
  new Option("--json", "one JSON object a line"),
  new Option("--quiet", "no progress and no notices"),
];

export interface GenerationFlags extends ModelFlags {
  readonly maxNewTokens?: number;
  readonly minNewTokens?: number;
  readonly stop?: readonly string[];
  readonly logProbs?: true;
  readonly shots?: string;
}

export const generationOptions = (): readonly Option[] => [
  new Option("--max-new-tokens <n>", "the most tokens to generate (default: 20)").argParser(count(0)),
  new Option("--min-new-tokens <n>", "tokens before which the answer may not end").argParser(count(0)),
  new Option("--stop <text>", "end the answer at this text; may be repeated").argParser(repeated),
  new Option("--log-probs", "with --json: the log-probability of every token"),
  new Option("--shots <file>", "examples: a JSON list"),
];

export const addOptions = (command: Command, ...groups: readonly (readonly Option[])[]): Command =>
  groups.flat().reduce((to, option) => to.addOption(option), command);

/** The library's options for what was given. */
export const generation = (flags: GenerationFlags): GenerateOptions => ({
  maxNewTokens: flags.maxNewTokens,
  minNewTokens: flags.minNewTokens,
  stop: flags.stop,
  logProbs: flags.logProbs,
});
