/** A tower at work: its parameters with the optimizer's moments, the program that learns, and the optimizer. */

import type { Graph } from "../../../src/graph/index.js";
import { type Learner, openLearner } from "../../../src/learn/learner.js";
import { type Optimizer, openOptimizer } from "../../../src/learn/optimizer.js";
import { emptyState, type TrainingState, takeParameters } from "../../../src/learn/state.js";
import { compile } from "../../../src/onnx/compile.js";
import type { Program, Runtime } from "../../../src/runtime/runtime.js";
import type { Initial } from "./initialTower.js";
import type { TowerProgram } from "./towerProgram.js";

export interface Tower {
  readonly state: TrainingState;
  readonly learner: Learner;
  readonly optimizer: Optimizer;
  close(): Promise<void>;
}

export interface OpenTowerOptions {
  readonly runtime: Runtime;
  readonly program: TowerProgram;
  readonly initial: Initial;
  /** Of one run. Default: 2. */
  readonly threads?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

export async function openTower(options: OpenTowerOptions): Promise<Tower> {
  const { runtime, program, initial, threads = 2, signal } = options;
  const state = emptyState(program.trained);
  for (const { name, shape } of program.trained.tensors) takeParameters(state, name, initial(name, shape));
  const learner = await openLearner(runtime, compiledTower(program.graph), state, { threads, signal });
  const optimizer = await openOptimizer(runtime, { threads }).catch(async (error: unknown) => {
    await learner.close();
    throw error;
  });
  return {
    ...{ state, learner, optimizer },
    async close() {
      await optimizer.close();
      await learner.close();
    },
  };
}

/** A program of a tower's graph, which has no frozen weights. */
export const compiledTower = (graph: Graph): Program =>
  compile(graph).with((name) => {
    throw new Error(`${name} is no input`);
  });
