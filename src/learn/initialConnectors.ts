/** Connectors that nobody has trained yet, as a checkpoint that is read like any other. */
import { asyncDispose } from "../base/dispose.js";
import type { Checkpoint } from "../checkpoints/checkpoint.js";
import type { FlamingoConfig } from "../models/flamingo.js";
import { initialValues } from "./initialValues.js";
import { learnGraph } from "./learnGraph.js";

/**
 * @param seed of their random numbers, a whole number from 0 to 2^53 − 1
 * @param settings `gate`: what gates begin with. Default 0.
 */
export function initialConnectors(
  config: FlamingoConfig,
  seed: number,
  settings: { readonly gate?: number | undefined } = {},
): Checkpoint {
  const { tensors } = learnGraph(config).trained;
  const shapes = new Map(tensors.map(({ name, shape }) => [name, shape]));
  return {
    name: "new connectors",
    tensors: new Map([...shapes].map(([name, shape]) => [name, { dtype: "float32", shape }])),
    async read(name, into, { signal } = {}) {
      signal?.throwIfAborted();
      into.set(initialValues(name, shapes.get(name)!, seed, settings));
      return true;
    },
    close: async () => {},
    [asyncDispose]: async () => {},
  };
}
