/**
 * A step of training, a function of state and batches: losses and gradients of every batch, then one step of AdamW.
 *
 * Reference: open_flamingo/train/train_utils.py, `train_one_epoch`. Where it has flaws, see `Published`.
 */
import { OpenFlamingoError } from "../base/errors.js";
import { type DataKind, dataKinds, feedsOf, type TrainingBatch, type TrainingBatches } from "./batch.js";
import { openOptimizer } from "./optimizer.js";
import { openPrograms, type ProgramOptions } from "./programs.js";
import type { Published } from "./published.js";
import { rateAt, type Schedule } from "./schedule.js";
import type { TrainingState } from "./state.js";
import type { WholeTensors } from "./stateTensors.js";

export interface StepOptions extends ProgramOptions {
  /** The id of `<image>`. */
  readonly imageToken: number;
  /** The greatest learning rate, which a schedule takes shares of. Default 1e-4. */
  readonly learningRate?: number | undefined;
  /** Constant, without a warm-up, when left out. */
  readonly schedule?: Schedule | undefined;
  /** Of the gated blocks' parameters. Default 0.1. */
  readonly weightDecay?: number | undefined;
  /** The greatest norm of all gradients together. Default 1. */
  readonly clipNorm?: number | undefined;
  /** How much each kind of data counts. Default 1 each. */
  readonly lossWeights?: Partial<Readonly<Record<DataKind, number>>> | undefined;
  /** How many batches of each kind a step is made of: its gradient is their mean. Default 1. */
  readonly accumulation?: number | undefined;
  readonly published?: Published | undefined;
}

export interface StepResult {
  /** Of each of the step's batches, before the step, not weighted. */
  readonly losses: readonly Readonly<Partial<Record<DataKind, number>>>[];
  /** The gradients' norm before it was clipped: once, or after every batch with `Published.clipEveryMicroBatch`. */
  readonly gradientNorms: readonly number[];
  readonly learningRate: number;
  /** Whether the parameters were changed; not where all there was was dropped, see `Published.dropNotFinite`. */
  readonly updated: boolean;
  /** How long its parts took, in seconds of the clock. */
  readonly seconds: { readonly learning: number; readonly optimizer: number };
}

export interface TrainingStep {
  /** Its arrays are those that every step writes. Read and write them between steps only. */
  readonly state: TrainingState;
  /** The embedding, of which rows are trained or nothing is, whole, as the checkpoint has it. */
  readonly whole: WholeTensors;
  /** What the vision encoder makes of pixels (N, 3, S, S), which can be kept and given in place of them. */
  encodeImages(pixels: Float32Array, signal?: AbortSignal): Promise<Float32Array>;
  /** The loss of a batch that is not learnt from. @throws OpenFlamingoError `usage`, `memory`, `backend` */
  lossOf(batch: TrainingBatch, signal?: AbortSignal): Promise<number>;
  /**
   * Learns from one batch of each kind, or from several that are one step together.
   *
   * @throws OpenFlamingoError `usage` for batches that are not what they should be; `loss-not-finite`; `memory`,
   *   `backend`; `signal.reason`. Parameters, moments and counter are then what they were, unless `isDamaged`.
   */
  run(
    batches: TrainingBatches | readonly TrainingBatches[],
    options?: { readonly signal?: AbortSignal | undefined },
  ): Promise<StepResult>;
  /** Whether the optimizer failed on its way through the state, which is then of no use. */
  isDamaged(): boolean;
  close(): Promise<void>;
}

/**
 * Makes a model ready to be trained.
 *
 * @throws OpenFlamingoError what reading weights and the runtime throw; `usage` for impossible settings
 */
export async function createStep(options: StepOptions): Promise<TrainingStep> {
  const settings = settingsOf(options);
  const programs = await openPrograms(options);
  const optimizer = await openOptimizer(options.runtime, { threads: options.threads ?? 2 }).catch(
    async (error: unknown) => {
      await programs.close();
      throw error;
    },
  );
  const { state, gradients } = programs;
  let running = false;
  let damaged = false;

  async function step(
    batches: readonly TrainingBatches[],
    signal: AbortSignal | undefined,
  ): Promise<StepResult> {
    const { published, accumulation, clipNorm, learningRate, weightDecay } = settings;
    const fed = batches.map((each) => feedAll(each, options));
    const share = 1 / (published.divideByWholeAccumulation ? accumulation : batches.length);
    const seconds = { learning: 0, optimizer: 0 };
    let since = performance.now();
    const count = (part: keyof typeof seconds) => {
      const now = performance.now();
      seconds[part] += (now - since) / 1000;
      since = now;
    };
    gradients.fill(0);
    let dropped = false;
    let clip = 1;
    const losses: StepResult["losses"][number][] = [];
    const gradientNorms: number[] = [];
    for (const [i, feeds] of fed.entries()) {
      const found: Partial<Record<DataKind, number>> = {};
      for (const [kind, batch, feed] of feeds) {
        if (feed.learnt > 0) {
          const scale = settings.lossWeights[kind] * share;
          found[kind] = await programs.learn(feed, batch.images, scale, signal);
        } else found[kind] = Number.NaN; // the mean of nothing
      }
      losses.push(found);
      dropped = published.dropNotFinite === true && Number.isNaN(found.mmc4);
      if (dropped) {
        gradients.fill(0);
        continue;
      }
      requireFinite(found, feeds, i);
      const isLast = i === fed.length - 1;
      if (!published.clipEveryMicroBatch && !isLast) continue;
      count("learning");
      const norm = await optimizer.norm(gradients);
      if (!Number.isFinite(norm)) throw notFinite("the gradients", i);
      gradientNorms.push(norm);
      clip = Math.min(1, clipNorm / (norm + 1e-6));
      if (!isLast && clip < 1) for (let at = 0; at < gradients.length; at++) gradients[at]! *= clip;
      count("optimizer");
    }
    const rate = learningRate * rateAt(state.step, settings.schedule, published);
    if (!dropped) {
      // Not to be stopped on the way: half of a step would be none.
      damaged = true;
      await optimizer.update(state, gradients, {
        clip,
        learningRate: rate,
        weightDecay,
        step: state.step + 1,
      });
      damaged = false;
      state.step++;
    }
    count(dropped ? "learning" : "optimizer");
    return { losses, gradientNorms, learningRate: rate, updated: !dropped, seconds };
  }

  return {
    state,
    whole: programs.whole,
    encodeImages: programs.encodeImages,
    async lossOf(batch, signal) {
      const [[, , feeds]] = feedAll({ laion: batch }, options) as [Fed[number]];
      return feeds.learnt === 0 ? Number.NaN : programs.lossOf(feeds, batch.images, signal);
    },
    async run(given, { signal } = {}) {
      signal?.throwIfAborted();
      if (running)
        throw usage("a step was asked for while another is made", "Await one step before the next.");
      const batches = "length" in given ? given : [given];
      if (batches.length === 0 || batches.length > settings.accumulation) {
        const what = `a step of ${batches.length} batches, where accumulation is ${settings.accumulation}`;
        throw usage(what, `Give 1 to ${settings.accumulation}.`);
      }
      running = true;
      try {
        return await step(batches, signal);
      } finally {
        running = false;
      }
    },
    isDamaged: () => damaged,
    async close() {
      await optimizer.close();
      await programs.close();
    },
  };
}

type Fed = readonly (readonly [DataKind, TrainingBatch, ReturnType<typeof feedsOf>])[];

/** All of them are checked before any work is done. */
function feedAll(batches: TrainingBatches, { imageToken, config }: StepOptions): Fed {
  const { vocabulary } = config.language;
  const fed = dataKinds.flatMap((kind) => {
    const batch = batches[kind];
    return batch
      ? [[kind, batch, feedsOf(batch, { imageToken, vocabulary, vision: config.vision })] as const]
      : [];
  });
  if (fed.length === 0)
    throw usage("a step was given no batch", `Give one of ${dataKinds.join(", ")}, or both.`);
  return fed;
}

function requireFinite(losses: StepResult["losses"][number], feeds: Fed, batch: number): void {
  for (const [kind, , { learnt }] of feeds) {
    if (learnt > 0 && !Number.isFinite(losses[kind])) throw notFinite(`the loss of ${kind}`, batch);
  }
}

const notFinite = (what: string, batch: number) =>
  new OpenFlamingoError(
    "loss-not-finite",
    `${what} in batch ${batch} of the step is not a number, or infinite`,
    {
      hint: "Nothing was changed. Look at this batch, and try a smaller learning rate or a longer warm-up.",
      data: { batch },
    },
  );

function settingsOf(options: StepOptions) {
  const {
    learningRate = 1e-4,
    weightDecay = 0.1,
    clipNorm = 1,
    accumulation = 1,
    lossWeights = {},
    published = {},
    schedule = { kind: "constant", totalSteps: 1 } satisfies Schedule,
  } = options;
  const numbers = { learningRate, weightDecay, clipNorm, ...lossWeights };
  for (const [name, value] of Object.entries(numbers)) {
    if (!(Number.isFinite(value) && value >= 0)) throw usage(`${name} is ${value}`, "Give a number from 0.");
  }
  const counts = { accumulation, totalSteps: schedule.totalSteps };
  for (const [name, value] of Object.entries(counts)) {
    if (!(Number.isSafeInteger(value) && value > 0))
      throw usage(`${name} is ${value}`, "Give a whole number from 1.");
  }
  return {
    ...{ learningRate, weightDecay, clipNorm, accumulation, published, schedule },
    lossWeights: { laion: 1, mmc4: 1, ...lossWeights },
  };
}

const usage = (what: string, hint: string) => new OpenFlamingoError("usage", `training: ${what}`, { hint });
