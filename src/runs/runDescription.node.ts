/** `run.json`: what a run is. Written once, before anything else that makes the folder a run. */
import { OpenFlamingoError } from "../base/errors.js";
import { type Fault, faultList, jsonObject, object, oneOf, optional, readFields } from "../base/fields.js";
import type { JsonObject } from "../base/json.js";
import { readText } from "../checkpoints/file.node.js";
import { findInside } from "../checkpoints/insideFolder.node.js";
import type { ModelDescription } from "../checkpoints/modelFolder.js";
import { inside } from "../checkpoints/modelPath.js";
import { parseChecked } from "./checkedJson.node.js";
import { readRunModel } from "./runModel.node.js";

export const runFile = "run.json";

export interface RunDescription {
  readonly settings: JsonObject;
  /** Its checkpoint is to be filled in; undefined: the run has no model folder. */
  readonly model: ModelDescription | undefined;
}

const reader = object({
  format: oneOf("openflamingo-run"),
  version: oneOf(1),
  settings: jsonObject,
  model: optional(jsonObject),
});

/** Bytes of the file that are read. */
const longest = 2 ** 20;

/** @throws OpenFlamingoError `run-missing` where the folder is no run's */
export async function findRun(folder: string): Promise<void> {
  const found = await findInside(inside({ path: folder }, runFile));
  if ("real" in found) return;
  throw new OpenFlamingoError("run-missing", `${folder}: is no run: ${runFile} ${found.fault}`, {
    hint: "Give the folder of a run, or begin one without resuming.",
    cause: found.cause,
  });
}

/** @throws OpenFlamingoError `run-invalid` with all that is wrong; the signal's reason */
export async function readDescription(
  folder: string,
  signal: AbortSignal | undefined,
): Promise<RunDescription> {
  const at = inside({ path: folder }, runFile);
  const invalid = (what: string, cause?: unknown) =>
    new OpenFlamingoError("run-invalid", `${at.path}: ${what}`, {
      hint: "It is written once, when a run begins: put a copy of it there, or begin another run.",
      cause,
    });
  const read = await readText(at, { limit: longest, signal });
  if ("fault" in read) throw invalid(read.fault, read.cause);
  const document = parseChecked(read.text, invalid);
  const fail = (faults: readonly Fault[]) => invalid(faultList(faults));
  const { settings, model } = readFields(reader, document, fail);
  return { settings, model: model && readRunModel(model, at.path, invalid) };
}
