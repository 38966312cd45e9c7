/** A file of weights beside the names that the model has: what torch's `load_state_dict` reports of keys. */
import { OpenFlamingoError } from "../../base/errors.js";
import type { Checkpoint } from "../../checkpoints/checkpoint.js";
import { isIgnored, placesIn } from "../../checkpoints/match.js";

export interface LoadedKeys {
  /** The model's tensors that the file does not hold: with a released checkpoint, the frozen ones. */
  readonly missingKeys: readonly string[];
  readonly unexpectedKeys: readonly string[];
}

/**
 * @param names of the model's tensors
 * @throws OpenFlamingoError `checkpoint-mismatch` if strict and there are some
 */
export function compareKeys(
  names: ReadonlySet<string>,
  { name: file, tensors }: Checkpoint,
  strict: boolean,
): LoadedKeys {
  const placeOf = placesIn(names);
  const keys = [...tensors.keys()];
  const held = new Set(keys.map(placeOf));
  const missingKeys = [...names].filter((name) => !held.has(name));
  const unexpectedKeys = keys.filter((name) => placeOf(name) === undefined && !isIgnored(name));
  if (strict && missingKeys.length + unexpectedKeys.length > 0) {
    const part = (kind: string, all: readonly string[]) =>
      `${all.length} ${kind}${all.length > 0 ? ` (${all[0]}, …)` : ""}`;
    throw new OpenFlamingoError(
      "checkpoint-mismatch",
      `${file}: tensors of the model: ${part("missing", missingKeys)}, ${part("unexpected", unexpectedKeys)}`,
      { hint: "A checkpoint of the trained weights alone is loaded with { strict: false }." },
    );
  }
  return { missingKeys, unexpectedKeys };
}

/** The checkpoint as if it held only what the model wants. */
export function withoutUnexpected(names: ReadonlySet<string>, checkpoint: Checkpoint): Checkpoint {
  const placeOf = placesIn(names);
  const tensors = new Map([...checkpoint.tensors].filter(([name]) => placeOf(name) !== undefined));
  return { ...checkpoint, tensors };
}
