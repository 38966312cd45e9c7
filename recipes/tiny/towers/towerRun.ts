/** The run folder of a tower's training: what is kept of a state, and how it is taken up again. */
import { OpenFlamingoError } from "../../../src/base/errors.js";
import type { JsonObject } from "../../../src/base/json.js";
import type { TrainingState } from "../../../src/learn/state.js";
import { tensorsOf } from "../../../src/learn/stateTensors.js";
import { type TrainedTensors, viewOf } from "../../../src/learn/trainedTensors.js";
import { findRun } from "../../../src/runs/runDescription.node.js";
import { createRun, openRun, type Run } from "../../../src/runs/runFolder.node.js";
import type { FloatTensors } from "../../../src/runs/runState.js";

/** A tower's numbers by the checkpoint's names. */
export const namedTensors = (trained: TrainedTensors, flat: Float32Array): FloatTensors =>
  new Map(trained.tensors.map((each) => [each.name, { shape: each.shape, data: viewOf(flat, each) }]));

/** What the mean of a parameter is called in a checkpoint. */
const averageName = (name: string) => `average of ${name}`;
const averagesOf = (trained: TrainedTensors, average: Float32Array | undefined): FloatTensors =>
  new Map(
    average
      ? [...namedTensors(trained, average)].map(([name, tensor]) => [averageName(name), tensor] as const)
      : [],
  );

/**
 * Begins a run, or goes on with the one that is there, which must have the same settings.
 *
 * @throws OpenFlamingoError `usage` for other settings; what `createRun` and `openRun` throw
 */
export async function openTowerRun(folder: string, settings: JsonObject, signal?: AbortSignal): Promise<Run> {
  const isThere = await findRun(folder).then(
    () => true,
    () => false,
  );
  if (!isThere) return createRun(folder, { settings, signal });
  const run = await openRun(folder, { signal });
  if (sorted(run.settings) === sorted(settings)) return run;
  await run.close();
  throw new OpenFlamingoError("usage", `${folder}: the run was begun with other settings`, {
    hint: "Resume it with the same ones, or begin another run in another folder.",
  });
}

/** Takes up the newest checkpoint, where there is one. */
export async function takeUp(
  run: Run,
  state: TrainingState,
  average: Float32Array | undefined,
  signal?: AbortSignal,
): Promise<void> {
  if (!run.latest) return;
  const tensors = tensorsOf(state, new Map());
  const averages = averagesOf(state.trained, average);
  const parameters = new Map([...tensors.parameters, ...averages]);
  await run.latest.load({ ...tensors, parameters }, { signal });
  state.step = run.latest.step;
}

/** Saves a checkpoint. @returns its folder */
export const keep = (
  run: Run,
  state: TrainingState,
  average: Float32Array | undefined,
  seconds: number,
): Promise<string> =>
  run.save({
    ...tensorsOf(state, new Map()),
    ...{ step: state.step, schedule: {}, random: {}, data: { seconds } },
    frozen: averagesOf(state.trained, average),
  });

/** The seconds of the clock that the run has taken so far, in all its parts. */
export const secondsOf = ({ latest }: Run): number =>
  (latest?.data as { readonly seconds?: number } | undefined)?.seconds ?? 0;

/** As text, whatever the order of the names. */
const sorted = (value: unknown): string =>
  JSON.stringify(value, (_, each: unknown) =>
    each && typeof each === "object" && !Array.isArray(each)
      ? Object.fromEntries(Object.entries(each).sort(([a], [b]) => (a < b ? -1 : 1)))
      : each,
  );
