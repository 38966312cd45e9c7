/** `openflamingo.json`, the description of a model folder. Contract: "openflamingo.json". */
import { OpenFlamingoError } from "../base/errors.js";
import {
  type Fault,
  faultList,
  integer,
  listOf,
  object,
  oneOf,
  optional,
  type Reader,
  readFields,
  recordOf,
  text,
} from "../base/fields.js";
import { isObject, parseJsonObject } from "../base/json.js";
import { printable, quoted } from "../base/quoted.js";
import { pathFault } from "./relativePath.js";

/** What the file says; paths are relative to the folder. */
export interface ModelDescription {
  readonly name: string;
  /** "random": untrained, its words mean nothing, and the program says so. */
  readonly words: "random" | "trained";
  readonly vision: { readonly config: string; readonly weights: string };
  readonly language: { readonly config: string; readonly weights: string; readonly tokenizer: string };
  readonly flamingo: { readonly checkpoint: string; readonly crossAttentionEvery: number };
  /** One line. */
  readonly licence?: string | undefined;
  /** A Markdown file. */
  readonly card?: string | undefined;
  /** What this model wants between image and caption, in place of `Output:`. */
  readonly prompt?: string | undefined;
  /** This model's own defaults. */
  readonly generation?:
    | {
        readonly maxNewTokens?: number | undefined;
        readonly minNewTokens?: number | undefined;
        readonly stop?: readonly string[] | undefined;
      }
    | undefined;
}

/** Of what `openflamingo prepare` writes: since 3, wide matrices lie as several side by side. */
export const preparedVersion = 3;

/** A folder that `openflamingo prepare` made: in place of checkpoints it has weights as the backend wants them. */
export interface PreparedDescription extends Omit<ModelDescription, "vision" | "language" | "flamingo"> {
  readonly vision: { readonly config: string };
  readonly language: { readonly config: string; readonly tokenizer: string };
  readonly flamingo: { readonly crossAttentionEvery: number };
  readonly prepared: {
    readonly version: typeof preparedVersion;
    readonly weights: "fp32" | "fp16" | "int8" | "int4";
    /** How many numbers share a scale. */
    readonly block: number;
    /** Parts of tensors' names, with the format that those tensors are kept in. */
    readonly keep?: ReadonlyMap<string, "fp32" | "int8"> | undefined;
    /** Images with texts that were read for the importance of columns. */
    readonly calibration?: { readonly samples: number; readonly sha256: string } | undefined;
    /** Of `weights.json`. */
    readonly sha256: string;
  };
}

const count = integer(1, 2 ** 20);
const path: Reader<string> = (value, at, report) => {
  const fault = typeof value === "string" ? pathFault(value) : undefined;
  if (fault === undefined) return text(value, at, report);
  report({ at, what: `${quoted(value)} ${fault}`, unsupported: false });
  return "";
};

const crossAttentionEvery = integer(1, 96);
const common = {
  format: oneOf("openflamingo-model"),
  version: count,
  name: text,
  words: oneOf("random", "trained"),
  licence: optional(text),
  card: optional(path),
  prompt: optional(text),
  generation: optional(
    object({ maxNewTokens: optional(count), minNewTokens: optional(count), stop: optional(listOf(text)) }),
  ),
};
const keys = {
  ...common,
  vision: object({ config: path, weights: path }),
  language: object({ config: path, weights: path, tokenizer: path }),
  flamingo: object({ checkpoint: path, crossAttentionEvery }),
};
const preparedKeys = {
  ...common,
  vision: object({ config: path }),
  language: object({ config: path, tokenizer: path }),
  flamingo: object({ crossAttentionEvery }),
  prepared: object({
    version: oneOf(preparedVersion),
    weights: oneOf("fp32", "fp16", "int8", "int4"),
    block: integer(16, 256),
    keep: optional(recordOf(oneOf("fp32", "int8"))),
    calibration: optional(object({ samples: count, sha256: text })),
    sha256: text,
  }),
};

/** How to make a prepared folder again. */
function commandFor({ name, prepared }: Readonly<Record<string, unknown>>, file: string): string {
  const { weights, block } = prepared as Readonly<Record<string, unknown>>;
  const isReleased = typeof name === "string" && /^[\w.-]+\/[\w.-]+$/.test(name);
  const model = isReleased ? name : "FOLDER";
  const given = [weights === "int8" || weights === "fp32" ? ` --weights ${weights}` : ""];
  if (block === 16 || block === 32 || block === 64 || block === 256) given.push(` --block ${block}`);
  const of = isReleased ? "" : ", FOLDER being the one that it was made of";
  const output = file.replace(/[/\\][^/\\]*$/, "");
  return `Remove it, and make it again with this version: openflamingo prepare ${model}${given.join("")} --output "${printable(output)}"${of}.`;
}

/**
 * Reads the description.
 *
 * @param name what messages call the file
 * @throws OpenFlamingoError "model-invalid" with all that is wrong; "model-unsupported" for another version, of the
 * file or of what was prepared
 */
export function parseModelDescription(json: string, name: string): ModelDescription | PreparedDescription {
  const hint = `Its keys are ${Object.keys(keys).join(", ")}.`;
  const invalid = (what: string, cause?: unknown) =>
    new OpenFlamingoError("model-invalid", `${name}: ${what}`, { hint, cause });
  const value = parseJsonObject(json, invalid);
  const { version } = value;
  const newer = "A newer version of this program may read it: npm install openflamingo@latest.";
  const unsupported = (what: string, hint = newer) =>
    new OpenFlamingoError("model-unsupported", `${name}: ${what}`, { hint });
  if (Number.isInteger(version) && version !== 1) {
    throw unsupported(`is of version ${version}; this program reads version 1`);
  }
  const fail = (faults: readonly Fault[]) => invalid(faultList(faults));
  if ("prepared" in value) {
    const { prepared } = value;
    const of = isObject(prepared) ? prepared.version : undefined;
    if (Number.isInteger(of) && of !== preparedVersion) {
      const what = `was prepared in version ${of}; this program reads version ${preparedVersion}`;
      const isOlder = (of as number) < preparedVersion;
      throw unsupported(what, isOlder ? commandFor(value, name) : newer);
    }
    const { format: _, version: __, ...description } = readFields(object(preparedKeys), value, fail);
    return description;
  }
  const { format: _, version: __, ...description } = readFields(object(keys), value, fail);
  return description;
}
