/**
 * What is known of an option of the training, in one entry: its kind, default and range, what it is for, and the flag of
 * OpenFlamingo (Python) that it stands for. The reader of settings files, the command line's options and
 * `docs/training-options.md` are derived from it.
 */
import { boolean, integer, listOf, number, oneOf, type Reader, text } from "../../base/fields.js";

interface Common {
  /** One sentence or two, without a full stop at the end. */
  readonly help: string;
  /** The flag of open_flamingo/train/train.py; undefined: it has none for this. */
  readonly reference?: string | undefined;
  /** Whether a run may be resumed with another value: it changes no number of what is trained. Default: false. */
  readonly mayChange?: boolean | undefined;
  /**
   * The default with `images`: tens to thousands of one's own images want other numbers than shards of millions.
   * Undefined: `default`.
   */
  readonly ownDefault?: number | string | boolean | undefined;
}

interface NumberOption<Kind extends "integer" | "number", Default> extends Common {
  readonly kind: Kind;
  readonly default: Default;
  readonly min: number;
  readonly max: number;
  /** `min` itself is not allowed. */
  readonly above?: boolean | undefined;
}

interface ChoiceOption<Choice extends string> extends Common {
  readonly kind: "choice";
  readonly default: Choice;
  readonly choices: readonly Choice[];
}

/** A text; a path is relative to the folder of the settings file, a "model" may be a released one's name as well. */
interface TextOption<Kind extends "text" | "path" | "model" | "texts" | "paths", Default> extends Common {
  readonly kind: Kind;
  readonly default: Default;
}

interface BooleanOption extends Common {
  readonly kind: "boolean";
  readonly default: boolean;
  /** A habit of OpenFlamingo (Python) that its released weights contain: `asPublished` switches it on. */
  readonly published?: true | undefined;
}

export type TrainingOption =
  | NumberOption<"integer" | "number", number | undefined>
  | ChoiceOption<string>
  | TextOption<"text" | "path" | "model", string | undefined>
  | TextOption<"texts" | "paths", readonly string[]>
  | BooleanOption;

export type OptionTable = Readonly<Record<string, TrainingOption>>;

/** What an option's value is, when all is read. */
export type ValueOf<Option extends TrainingOption> =
  Option extends NumberOption<"integer" | "number", infer Default>
    ? number | Extract<Default, undefined>
    : Option extends ChoiceOption<infer Choice>
      ? Choice
      : Option extends BooleanOption
        ? boolean
        : Option extends TextOption<"texts" | "paths", readonly string[]>
          ? readonly string[]
          : Option extends TextOption<"text" | "path" | "model", infer Default>
            ? string | Extract<Default, undefined>
            : never;

export type ValuesOf<Table extends OptionTable> = { readonly [Name in keyof Table]: ValueOf<Table[Name]> };

/** The largest number of steps, samples or tokens that is read. */
export const most = 2 ** 40;

/** What an option is when it is not given. @param own whether `images` is */
export const defaultOf = (option: TrainingOption, own: boolean): TrainingOption["default"] =>
  own && option.ownDefault !== undefined ? option.ownDefault : option.default;

/** What reads a value of the option, from a file or from a program. */
export function readerOf(option: TrainingOption): Reader<unknown> {
  switch (option.kind) {
    case "integer":
      return integer(option.min, option.max);
    case "number":
      return number(option.min, option.max, { above: option.above ?? false });
    case "boolean":
      return boolean;
    case "choice":
      return oneOf(...option.choices);
    case "texts":
    case "paths": {
      const many = listOf(text, 0, 10_000);
      // One needs no brackets.
      return (value, at, report) => many(typeof value === "string" ? [value] : value, at, report);
    }
    default:
      return text;
  }
}

/** The option's flag: `learningRate` → `--learning-rate`. */
export const flagOf = (name: string): string =>
  `--${name.replace(/[A-Z]|\d+/g, (part) => (/\d/.test(part) ? part : `-${part.toLowerCase()}`))}`;

/** What may be given, in words: `a number above 0, at most 1`. */
export function allowedValues(option: TrainingOption): string {
  switch (option.kind) {
    case "integer":
      return option.max === most
        ? `an integer ≥ ${option.min}`
        : `an integer from ${option.min} to ${option.max}`;
    case "number":
      return option.above
        ? `a number above ${option.min}, at most ${option.max}`
        : `a number from ${option.min} to ${option.max}`;
    case "boolean":
      return "true or false";
    case "choice":
      return option.choices.map((choice) => `\`${choice}\``).join(" or ");
    case "texts":
      return "a text or a list of texts";
    case "paths":
      return "a path, a URL, or a list of them";
    case "model":
      return "a path or a released model's name";
    case "path":
      return "a path";
    default:
      return "a text";
  }
}
