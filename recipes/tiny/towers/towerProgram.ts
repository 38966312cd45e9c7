/** What the training of a tower runs: a program that learns, all of whose parameters are trained. */
import type { Graph } from "../../../src/graph/index.js";
import { addGradients } from "../../../src/learn/gradients.js";
import { placeTensors, type TrainedTensors } from "../../../src/learn/trainedTensors.js";

export interface TowerProgram {
  /** Its parameters are inputs by the checkpoint's names; its gradients are outputs, and so is its "loss". */
  readonly graph: Graph;
  readonly trained: TrainedTensors;
}

/**
 * Which parameters decay: matrices and tables; no norms, biases, class token and temperature. So in open_clip's training
 * (src/training/main.py).
 */
export const decays = ({ shape }: { readonly shape: readonly number[] }): boolean => shape.length > 1;

/** @param graph with an output "loss" (1) @param named its parameters with their shapes */
export function towerProgram(graph: Graph, named: ReadonlyMap<string, readonly number[]>): TowerProgram {
  const trained = placeTensors(
    [...named].map(([name, shape]) => ({ name, shape })),
    decays,
  );
  addGradients(graph, trained);
  return { graph, trained };
}
