/**
 * Finds every tensor that a model wants in its checkpoints, and reports all that is wrong in one error.
 *
 * What a file may hold beyond the model: contract, "openflamingo.json". Second names: a live model of the reference
 * implementation registers each block twice (open_flamingo/src/flamingo_lm.py, `init_flamingo`).
 */
import { OpenFlamingoError } from "../base/errors.js";
import { quoted } from "../base/quoted.js";
import type { Checkpoint, TensorInfo } from "./checkpoint.js";
import { listed } from "./messages.js";

export interface Wanted {
  readonly shape: readonly number[];
  /**
   * "any": where a checkpoint says so, the first axis may be longer or shorter, as an embedding's before it is cut or
   * grown.
   */
  readonly rows?: "any";
}

/** A checkpoint with the model's names for its tensors. */
export interface NamedCheckpoint {
  readonly checkpoint: Checkpoint;
  /** The model's name of a tensor, undefined for one that is ignored; left out: names are the same. */
  readonly rename?: (name: string) => string | undefined;
  /** Whether tensors that may have any rows may have them here; false when left out. */
  readonly anyRows?: boolean;
}

/** Where a wanted tensor is. */
export interface Match {
  readonly checkpoint: Checkpoint;
  /** The file's name of it. */
  readonly name: string;
  readonly info: TensorInfo;
}

/** Names that a file may hold though the model does not want them. */
const ignoredNames = [
  /(^|\.)rotary_emb\.inv_freq$/,
  /(^|\.)attention\.(masked_)?bias$/, // the causal mask in older GPT-NeoX files
  /(^|\.)lm_head\.weight$/, // wanted where it is not tied to the embedding
  /^lang_encoder\.old_decoder_blocks\./,
  /^lang_encoder\..*\.decoder_layer\./,
];

/**
 * Finds each wanted tensor. Where several checkpoints hold one, the last wins, as when they are loaded in
 * turn.
 *
 * @param wanted by the reference implementation's names
 * @throws OpenFlamingoError "checkpoint-mismatch" with every missing, unexpected and mis-shaped tensor
 */
export function matchTensors(
  wanted: ReadonlyMap<string, Wanted>,
  checkpoints: readonly NamedCheckpoint[],
): Map<string, Match> {
  const matches = new Map<string, Match>();
  const misshaped = new Map<string, string>();
  const unexpected: string[] = [];
  const placeOf = placesIn(wanted);
  for (const { checkpoint, rename = (name: string) => name, anyRows = false } of checkpoints) {
    for (const [name, info] of checkpoint.tensors) {
      const given = rename(name);
      if (given === undefined) continue;
      const place = placeOf(given) ?? "";
      const want = wanted.get(place);
      if (want === undefined) {
        if (!isIgnored(name)) unexpected.push(`${quoted(name)} in ${checkpoint.name}`);
      } else if (!fits(info.shape, want, anyRows)) {
        const shapes = `${quoted(info.shape)} in ${checkpoint.name}, ${wish(want, anyRows)} in the model`;
        misshaped.set(place, `${quoted(name)}: ${shapes}`);
      } else if (place === given || matches.get(place)?.checkpoint !== checkpoint) {
        matches.set(place, { checkpoint, name, info });
      }
    }
  }
  const missing = [...wanted]
    .filter(([name]) => !matches.has(name) && !misshaped.has(name))
    .map(([name, want]) => `${quoted(name)}, ${wish(want)}`);
  if (missing.length + unexpected.length + misshaped.size === 0) return matches;

  const files = checkpoints.map(({ checkpoint }) => checkpoint.name).join(", ");
  const part = (kind: string, lines: readonly string[]) =>
    lines.length === 0 ? "" : `\n${lines.length} ${kind}:\n  ${listed(lines, "\n  ")}`;
  throw new OpenFlamingoError(
    "checkpoint-mismatch",
    `the model's tensors are not those of ${files}` +
      part("missing", missing) +
      part("of another shape", [...misshaped.values()]) +
      part("unexpected", unexpected),
    {
      hint:
        "Does one of these files belong to another model? Check the configuration and the interval of gated blocks " +
        "(crossAttentionEvery in openflamingo.json, crossAttnEveryNLayers of createModelAndTransforms).",
    },
  );
}

/** From either name of a tensor in a file to the model's own; undefined for one that the model does not want. */
export function placesIn(wanted: {
  has(name: string): boolean;
  keys(): Iterable<string>;
}): (name: string) => string | undefined {
  const firstNames = new Map([...wanted.keys()].map((name) => [secondName(name), name]));
  return (name) => (wanted.has(name) ? name : firstNames.get(name));
}

/** Whether a file may hold a tensor of this name though the model does not want it. */
export const isIgnored = (name: string): boolean => ignoredNames.some((pattern) => pattern.test(name));

/**
 * `lang_encoder.gated_cross_attn_layers.N.X`, which is also
 * `lang_encoder.<blocks>.N.gated_cross_attn_layer.X`.
 */
const secondName = (name: string): string =>
  name.replace(/^(lang_encoder)\..+\.(\d+)\.(gated_cross_attn_layer)\./, "$1.$3s.$2.");

const fits = (shape: readonly number[], { shape: wish, rows }: Wanted, anyRows: boolean): boolean =>
  shape.length === wish.length &&
  shape.every((size, axis) => size === wish[axis] || (axis === 0 && anyRows && rows === "any"));

const wish = ({ shape: [first, ...others], rows }: Wanted, anyRows = false): string =>
  `[${[...(first === undefined ? [] : [anyRows && rows === "any" ? "any" : first]), ...others]}]`;
