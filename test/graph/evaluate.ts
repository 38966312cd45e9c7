/** Graphs at work: one backend a test file, which compiles what a function writes and runs it. */
import { afterAll, beforeAll } from "vitest";
import { createGraph, type Graph, input, output, type Tensor } from "../../src/graph/index.js";
import { compile } from "../../src/onnx/compile.js";
import type { HostTensor } from "../../src/runtime/hostTensor.js";
import { openOrtFfi } from "../../src/runtime/ortFfi.node.js";
import type { Runtime, Session } from "../../src/runtime/runtime.js";
import { host, type Plain, plain } from "./arrays.js";

type Named<T> = Readonly<Record<string, T>>;

export interface Backend {
  /** Compiles a graph and gives it its weights, by their names in the checkpoint. */
  load(graph: Graph, checkpoint?: Named<Plain>): Promise<Session>;
  /** Runs once what `write` makes of the given tensors; returns the results by the names that it gives them. */
  evaluate(
    given: Named<HostTensor>,
    write: (inputs: Named<Tensor>, graph: Graph) => Named<Tensor>,
    checkpoint?: Named<Plain>,
  ): Promise<Named<Plain>>;
  readonly runtime: Runtime;
}

/** To be called at the top of a test file: opens the backend before its tests and closes it after them. */
export function useBackend(): Backend {
  let runtime: Runtime | undefined;
  beforeAll(async () => {
    runtime = await openOrtFfi();
  });
  afterAll(() => runtime?.close());

  const load: Backend["load"] = (graph, checkpoint = {}) => {
    const { program, weights } = compile(graph);
    // A weight may be seen in another shape than the checkpoint's; its numbers lie in the same order.
    const memory = weights.map(
      ({ name, tensor, shape }) =>
        [name, host({ shape, data: checkpoint[tensor]!.data }, "float32")] as const,
    );
    return runtime!.load({ ...program, weights: new Map(memory) }, { threads: 1 });
  };

  return {
    load,
    async evaluate(given, write, checkpoint) {
      const graph = createGraph("test");
      const inputs = Object.entries(given).map(
        ([name, { dtype, shape }]) => [name, input(graph, name, dtype, shape)] as const,
      );
      for (const [name, tensor] of Object.entries(write(Object.fromEntries(inputs), graph))) {
        output(graph, name, tensor);
      }
      await using session = await load(graph, checkpoint);
      const results = await session.run(given);
      return Object.fromEntries(Object.entries(results).map(([name, tensor]) => [name, plain(tensor)]));
    },
    get runtime() {
      return runtime!;
    },
  };
}
