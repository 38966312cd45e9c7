/** Says that a run will not fit before anything large is read, and what would fit, in place of a process that is killed. */
import { shownSize } from "../base/bytes.js";
import { elementCount } from "../base/dtypes.js";
import { OpenFlamingoError } from "../base/errors.js";
import { evaluateDim, type Graph, type Node, withoutUnused } from "../graph/index.js";
import { learnGraph, visionGraph } from "../learn/learnGraph.js";
import { weightMemory } from "../machine/forecast.js";
import type { Memory } from "../machine/memory.js";
import type { FlamingoConfig } from "../models/flamingo.js";
import { weightUses } from "../onnx/compile.js";
import type { TrainingOptions } from "./options/table.js";
import { programSettings } from "./stepSettings.js";

/** Bytes. */
export interface TrainingForecast {
  /** Parameters, gradients and two moments. */
  readonly state: number;
  readonly frozen: number;
  /** Of the largest batch: what stands in memory at once while a program learns from it. */
  readonly activations: number;
  readonly total: number;
}

type Sizes = Pick<
  TrainingOptions,
  | "laionShards"
  | "mmc4Shards"
  | "batchSizeLaion"
  | "batchSizeMmc4"
  | "maxTokensLaion"
  | "maxTokensMmc4"
  | "mmc4MaxNumImages"
  | "gradientCheckpointing"
  | "precision"
  | "weights"
>;

/** Node, the backend, this program and the samples that are read ahead. */
const base = 200e6;

/**
 * What a run will take, from the configuration and its options alone: a little less than it does, as backends keep some
 * memory for later. Of kinds of data without shards nothing is counted.
 */
export function forecastTraining(config: FlamingoConfig, options: Sizes): TrainingForecast {
  // Rounding for mixed precision takes a few products' worth of memory, and long to be written down.
  const settings = { ...programSettings(options), precision: undefined };
  const { graph, trained } = learnGraph(config, settings);
  const state = 4 * 4 * trained.length;
  const programs = [graph, visionGraph(config, settings).graph].map((each) =>
    weightUses(withoutUnused(each)),
  );
  const frozen = weightMemory(programs, config.language, "memory");
  const batches = [
    ...(options.laionShards.length > 0
      ? [{ b: options.batchSizeLaion, t: options.maxTokensLaion, s: 1 }]
      : []),
    ...(options.mmc4Shards.length > 0
      ? [{ b: options.batchSizeMmc4, t: options.maxTokensMmc4, s: options.mmc4MaxNumImages }]
      : []),
  ];
  const activations = Math.max(
    0,
    ...batches.map((sizes) => mostAtOnce(graph, { ...sizes, N: sizes.b * sizes.s, w: sizes.b * sizes.t })),
  );
  return { state, frozen, activations, total: state + frozen + activations + base };
}

/** Bytes of results that stand at once where nodes run in their order and each result goes after its last use. */
function mostAtOnce({ nodes, outputs }: Graph, sizes: Readonly<Record<string, number>>): number {
  const values = new Map(Object.entries(sizes));
  // Gradients are added up where they stay, which is counted with the state, each as soon as it is known.
  const written = new Set([...outputs.values()].map(({ node }) => node));
  const lastUse = new Map<Node, number>();
  for (const [i, node] of nodes.entries()) {
    if (!written.has(node)) for (const each of node.inputs) if (each) lastUse.set(each.node, i);
  }
  const ending = new Map<number, number>();
  let [now, most] = [0, 0];
  for (const [i, node] of nodes.entries()) {
    const isResult = node.inputs.length > 0 && node.op.name !== "reshape" && !written.has(node);
    if (isResult) {
      const size = 4 * node.results.reduce((sum, { shape }) => sum + elementCount(numbers(shape)), 0);
      now += size;
      most = Math.max(most, now);
      const end = lastUse.get(node) ?? i;
      ending.set(end, (ending.get(end) ?? 0) + size);
    }
    now -= ending.get(i) ?? 0;
  }
  return most;

  function numbers(shape: Node["results"][number]["shape"]): readonly number[] {
    return shape.map((dim) => evaluateDim(dim, values));
  }
}

/**
 * Compares what a run will take with what is free.
 *
 * @throws OpenFlamingoError `memory` with both, and with what would fit
 */
export function requireTrainingMemory(memory: Memory, config: FlamingoConfig, options: Sizes): void {
  const { free, limitedBy } = memory;
  const forecast = forecastTraining(config, options);
  if (forecast.total <= free) return;
  const where = limitedBy === undefined ? "" : ` in the control group ${limitedBy}`;
  const parts = `${shownSize(forecast.state)} of it for parameters, gradients and moments, ${shownSize(forecast.activations)} for a batch`;
  throw new OpenFlamingoError(
    "memory",
    `training: needs at least ${shownSize(forecast.total)} (${parts}), ${shownSize(free)} are free${where}`,
    {
      hint: `${adviceFor(free, config, options)}; memoryCheck false begins all the same.`,
      data: {
        ...{ needed: forecast.total, free },
        options: ["gradientCheckpointing", "batchSizeLaion", "batchSizeMmc4", "memoryCheck"],
      },
    },
  );
}

function adviceFor(free: number, config: FlamingoConfig, options: Sizes): string {
  for (let share = 1; share <= 65536; share *= 2) {
    const smaller = (size: number) => Math.max(1, Math.floor(size / share));
    const [batchSizeLaion, batchSizeMmc4] = [smaller(options.batchSizeLaion), smaller(options.batchSizeMmc4)];
    const tried = { ...options, batchSizeLaion, batchSizeMmc4, gradientCheckpointing: true };
    const { total } = forecastTraining(config, tried);
    if (total <= free) {
      const sizes = [
        ...(options.laionShards.length > 0 ? [`batchSizeLaion ${batchSizeLaion}`] : []),
        ...(options.mmc4Shards.length > 0 ? [`batchSizeMmc4 ${batchSizeMmc4}`] : []),
      ];
      const what = ["gradientCheckpointing true", ...(share > 1 ? sizes : [])].join(" and ");
      return `Try ${what} (${shownSize(total)})${share > 1 ? ", with gradientAccumulationSteps in place of rows" : ""}`;
    }
    if (batchSizeLaion === 1 && batchSizeMmc4 === 1) break;
  }
  return "Close other programs, or take a smaller model or a larger machine";
}
