/** The manifest of a checkpoint: its files, with sizes and sums. It is written last, and believed only where it fits. */
import {
  type Fault,
  faultList,
  integer,
  listOf,
  object,
  oneOf,
  readFields,
  valueThat,
} from "../base/fields.js";
import type { JsonObject } from "../base/json.js";

export const manifestFile = "manifest.json";

/** One file of a checkpoint, in its folder. */
export interface ManifestEntry {
  readonly name: string;
  readonly bytes: number;
  /** SHA-256 in hexadecimal. */
  readonly sha256: string;
}

export interface Manifest {
  readonly step: number;
  readonly files: readonly ManifestEntry[];
}

/** Bytes of a manifest that are read; one of four files has 700. */
export const longestManifest = 64 * 1024;
const mostFiles = 64;

/** A name without folders, that no system takes for anything else. */
export const isFileName = (value: unknown): value is string =>
  typeof value === "string" && /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/.test(value);

const entry = object({
  name: valueThat<string>(isFileName, "the name of a file in this folder"),
  bytes: integer(0, 2 ** 46),
  sha256: valueThat<string>(
    (value) => typeof value === "string" && /^[0-9a-f]{64}$/.test(value),
    "a SHA-256",
  ),
});
const reader = object({
  format: oneOf("openflamingo-checkpoint"),
  version: oneOf(1),
  step: integer(0, Number.MAX_SAFE_INTEGER),
  files: listOf(entry, 1, mostFiles),
});

export const showManifest = ({ step, files }: Manifest) => ({
  ...{ format: "openflamingo-checkpoint", version: 1, step },
  files: files.map(({ name, bytes, sha256 }) => ({ name, bytes, sha256 })),
});

/** @param fail makes the error from what is wrong */
export function readManifest(document: JsonObject, fail: (what: string) => Error): Manifest {
  const { step, files } = readFields(reader, document, (faults: readonly Fault[]) => fail(faultList(faults)));
  const names = new Set(files.map(({ name }) => name.toLowerCase())); // some disks do not tell case apart
  if (names.size < files.length || names.has(manifestFile)) throw fail("names a file twice");
  return { step, files };
}

/** The folder of a checkpoint: `step-00001200`. */
export const checkpointName = (step: number): string => `step-${String(step).padStart(8, "0")}`;

/** The step of a checkpoint's folder; undefined for any other name. */
export function stepOf(name: string): number | undefined {
  const step = Number(/^step-(\d{8,15})$/.exec(name)?.[1]);
  return checkpointName(step) === name ? step : undefined;
}

/**
 * Which checkpoints are no longer kept.
 *
 * @param steps of all that are there
 * @param keep how many of the newest stay, at least 1
 * @param keepEvery those of steps that this divides stay for ever; undefined: none does
 */
export function superseded(
  steps: readonly number[],
  { keep, keepEvery }: { readonly keep: number; readonly keepEvery?: number | undefined },
): readonly number[] {
  const newest = new Set([...steps].sort((a, b) => b - a).slice(0, Math.max(1, keep)));
  return steps.filter((step) => !newest.has(step) && !(keepEvery && step % keepEvery === 0));
}
