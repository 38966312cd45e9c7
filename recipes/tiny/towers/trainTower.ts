/**
 * The training of a tower, whichever it is: batches by their number, gradients, AdamW, a run folder that can be resumed
 * where it was killed, to the same numbers.
 */

import { OpenFlamingoError } from "../../../src/base/errors.js";
import type { JsonObject } from "../../../src/base/json.js";
import type { Graph } from "../../../src/graph/index.js";
import { lossOutput } from "../../../src/learn/gradients.js";
import type { Feeds, Learner } from "../../../src/learn/learner.js";
import { rateAt } from "../../../src/learn/schedule.js";
import { viewOf } from "../../../src/learn/trainedTensors.js";
import type { EventValues } from "../../../src/runs/eventFile.js";
import type { FloatTensors } from "../../../src/runs/runState.js";
import { decayAt, moveAverage, withAverage } from "./average.js";
import { compiledTower, type OpenTowerOptions, openTower, type Tower } from "./openTower.js";
import { keep, namedTensors, openTowerRun, secondsOf, takeUp } from "./towerRun.js";

/** Another program over the tower's parameters as they are now. */
export type Evaluate = (feeds: Feeds) => ReturnType<Learner["learn"]>;

export interface TowerTraining extends OpenTowerOptions {
  /** The run's folder: a new one, or that of a run with the same settings, which is gone on with. */
  readonly folder: string;
  /** What else decides the numbers (sizes, seeds, data), to be kept with the run and compared when it is resumed. */
  readonly settings: JsonObject;
  /** What a step learns from, by its number from 0 and nothing else. The next one is made while a step runs. */
  readonly batchAt: (step: number) => Feeds | Promise<Feeds>;
  /** Steps in all. */
  readonly steps: number;
  /** The greatest; it rises to it in `warmupSteps` and falls to 0 along a cosine. */
  readonly learningRate: number;
  /** Default: a twentieth of the steps. */
  readonly warmupSteps?: number | undefined;
  /** Default: 0.1. */
  readonly weightDecay?: number | undefined;
  /** The greatest norm of all gradients together. Default: 1. */
  readonly clipNorm?: number | undefined;
  /** Of a running mean of the parameters, 0.999 for one of about 1,000 steps; none when left out. */
  readonly averageDecay?: number | undefined;
  /** Called behind every step, for what must stay in bounds, with a parameter's numbers by its name. */
  readonly afterStep?: ((parameter: (name: string) => Float32Array) => void) | undefined;
  /** Steps from one to the next. Default: 20. */
  readonly logEvery?: number | undefined;
  /** Default: 500. The last step is always kept. */
  readonly checkpointEvery?: number | undefined;
  /** Default: never. The last step is always evaluated. */
  readonly evaluateEvery?: number | undefined;
  /**
   * What is noted in the log from time to time: of the mean of the parameters, where there is one.
   *
   * @param load makes a program over the parameters; the same graph is compiled once
   */
  readonly evaluate?:
    | ((load: (graph: Graph) => Promise<Evaluate>, step: number) => Promise<EventValues>)
    | undefined;
  /** Ends this part of the run, with a checkpoint, behind the step that reaches it. */
  readonly stopAfterSeconds?: number | undefined;
  readonly onProgress?: ((progress: TowerProgress) => void) | undefined;
}

export interface TowerProgress {
  /** Steps made. */
  readonly step: number;
  readonly steps: number;
  /** The program's outputs beside the gradients: "loss" and others. */
  readonly values: Readonly<Record<string, number>>;
  /** Of the gradients, before they were clipped. */
  readonly gradientNorm: number;
  readonly learningRate: number;
  /** Of the clock: this step, and of it the wait for its batch. */
  readonly seconds: number;
  readonly waited: number;
  /** What an evaluation behind this step said. */
  readonly evaluation?: EventValues | undefined;
}

export interface TrainedTower {
  /** Steps made, and whether that is all of them. */
  readonly step: number;
  readonly isDone: boolean;
  /** Of the clock, of all parts of the run. */
  readonly seconds: number;
  /** By the checkpoint's names: the last ones, and their mean where there is one. */
  readonly parameters: FloatTensors;
  readonly average: FloatTensors | undefined;
}

/**
 * Trains a tower to its end, or as long as it may.
 *
 * @throws OpenFlamingoError `loss-not-finite`, with the last checkpoint as it was; `usage` for a folder with another run;
 *   `run-…`, `disk`, `memory`, `backend`; `signal.reason`; what `batchAt` throws
 */
export async function trainTower(options: TowerTraining): Promise<TrainedTower> {
  const run = await openTowerRun(options.folder, settingsOf(options), options.signal);
  try {
    const tower = await openTower(options);
    try {
      const { state } = tower;
      const average = options.averageDecay === undefined ? undefined : state.parameters.slice();
      await takeUp(run, state, average, options.signal);
      const before = secondsOf(run);
      const seconds = await makeSteps(options, { run, tower, average, before });
      const named = (flat: Float32Array) => namedTensors(state.trained, flat);
      return {
        ...{ step: state.step, isDone: state.step >= options.steps, seconds },
        ...{ parameters: named(state.parameters), average: average && named(average) },
      };
    } finally {
      await tower.close();
    }
  } finally {
    await run.close();
  }
}

interface Parts {
  readonly run: Awaited<ReturnType<typeof openTowerRun>>;
  readonly tower: Tower;
  readonly average: Float32Array | undefined;
  /** Seconds that earlier parts of the run took. */
  readonly before: number;
}

/** @returns the seconds of all parts of the run */
async function makeSteps(options: TowerTraining, { run, tower, average, before }: Parts): Promise<number> {
  const { steps, batchAt, logEvery = 20, checkpointEvery = 500, evaluateEvery, signal } = options;
  const { state } = tower;
  const evaluator = evaluatorOf(options, tower, average);
  const began = performance.now();
  const passed = () => (performance.now() - began) / 1000;
  let saved = state.step;
  const prepare = (step: number) => {
    const batch = (async () => (step < steps ? batchAt(step) : undefined))();
    batch.catch(() => {}); // it is thrown when its turn has come
    return batch;
  };
  let next = prepare(state.step);
  while (state.step < steps) {
    signal?.throwIfAborted();
    const start = performance.now();
    const feeds = (await next)!;
    const waited = (performance.now() - start) / 1000;
    next = prepare(state.step + 1);
    const made = await makeStep(options, tower, feeds);
    if (average) moveAverage(average, state.parameters, decayAt(options.averageDecay!, state.step));
    const isDue = (every: number | undefined) =>
      state.step === steps || (every !== undefined && state.step % every === 0);
    const seconds = (performance.now() - start) / 1000;
    const { values, gradientNorm, learningRate } = made;
    if (isDue(logEvery)) {
      await run.log(state.step, {
        ...values,
        gradient_norm: gradientNorm,
        lr: learningRate,
        step_time: seconds,
      });
    }
    const evaluation = isDue(evaluateEvery) ? await evaluator?.(state.step) : undefined;
    if (evaluation) await run.log(state.step, evaluation);
    const isOver = options.stopAfterSeconds !== undefined && passed() >= options.stopAfterSeconds;
    if (isDue(checkpointEvery) || (isOver && saved < state.step)) {
      await keep(run, state, average, before + passed());
      saved = state.step;
    }
    options.onProgress?.({ step: state.step, steps, ...made, seconds, waited, evaluation });
    if (isOver) break;
  }
  return before + passed();
}

/** One step: gradients of a batch, clipped, and AdamW. */
async function makeStep(
  { steps, learningRate, weightDecay = 0.1, clipNorm = 1, afterStep, ...options }: TowerTraining,
  { state, learner, optimizer }: Tower,
  feeds: Feeds,
): Promise<Pick<TowerProgress, "values" | "gradientNorm" | "learningRate">> {
  learner.gradients.fill(0);
  const outputs = await learner.learn(feeds, { signal: options.signal });
  const values = Object.fromEntries(
    Object.entries(outputs).map(([name, { data }]) => [name, Number(data[0])]),
  );
  const gradientNorm = await optimizer.norm(learner.gradients);
  if (!Number.isFinite(values[lossOutput]) || !Number.isFinite(gradientNorm)) {
    throw new OpenFlamingoError(
      "loss-not-finite",
      `step ${state.step + 1}: the loss or its gradients are no numbers`,
      {
        hint: "Look at this step's batch, and try a smaller learning rate or a longer warm-up.",
      },
    );
  }
  const warmupSteps = options.warmupSteps ?? Math.ceil(steps / 20);
  const rate = learningRate * rateAt(state.step, { kind: "cosine", warmupSteps, totalSteps: steps });
  const clip = Math.min(1, clipNorm / (gradientNorm + 1e-6));
  await optimizer.update(state, learner.gradients, {
    ...{ clip, learningRate: rate, weightDecay, step: state.step + 1 },
  });
  state.step++;
  afterStep?.((name) => viewOf(state.parameters, state.trained.tensors.find((each) => each.name === name)!));
  return { values, gradientNorm, learningRate: rate };
}

function evaluatorOf(
  { evaluate }: TowerTraining,
  { state, learner }: Tower,
  average: Float32Array | undefined,
): ((step: number) => Promise<EventValues>) | undefined {
  if (!evaluate) return undefined;
  const loaded = new Map<Graph, Promise<Evaluate>>();
  const load = (graph: Graph) => {
    const program = loaded.get(graph) ?? learner.load(compiledTower(graph));
    loaded.set(graph, program);
    return program;
  };
  const evaluateNow = (step: number) => evaluate(load, step);
  return (step) =>
    average ? withAverage(state.parameters, average, () => evaluateNow(step)) : evaluateNow(step);
}

/** All that decides the numbers. */
const settingsOf = (options: TowerTraining): JsonObject => ({
  ...{ steps: options.steps, learningRate: options.learningRate },
  ...{ warmupSteps: options.warmupSteps ?? null, weightDecay: options.weightDecay ?? null },
  ...{ clipNorm: options.clipNorm ?? null, averageDecay: options.averageDecay ?? null },
  given: options.settings,
});
