/** Programs that run one after the other as one, as `cutGraph` makes them: what one hands on is fed to those behind. */
import { cutName } from "../graph/index.js";
import type { Program, RunOptions, Session } from "../runtime/runtime.js";

/** What runs. Bound tensors must stay bound until a run is over. */
export type Runs = Pick<Session, "run">;

/** A loaded program, and what it takes and gives. */
export interface LoadedStage {
  readonly session: Runs;
  readonly program: Pick<Program, "inputs" | "outputs">;
}

/** Runs follow one another in the order in which they were asked for. */
export function inSequence(stages: readonly LoadedStage[]): Runs {
  if (stages.length === 1) return stages[0]!.session;
  let turn: Promise<void> = Promise.resolve();
  return {
    run(feeds, options = {}) {
      const run = turn.then(() => runAll(stages, feeds, options));
      turn = run.then(
        () => undefined,
        () => undefined,
      );
      return run;
    },
  };
}

async function runAll(
  stages: readonly LoadedStage[],
  feeds: Parameters<Runs["run"]>[0],
  { outputs = {}, want, ...options }: RunOptions,
): ReturnType<Runs["run"]> {
  const given: Record<string, (typeof feeds)[string]> = { ...feeds };
  const results: Awaited<ReturnType<Runs["run"]>> = {};
  for (const [i, { session, program }] of stages.entries()) {
    const names = program.outputs.map(({ name }) => name);
    const handedOn = cutName(i);
    const wanted = names.filter((name) => name === handedOn || (want?.includes(name) ?? true));
    const found = await session.run(
      only(
        given,
        program.inputs.map(({ name }) => name),
      ),
      { outputs: only(outputs, names), want: wanted, ...options },
    );
    for (const [name, tensor] of Object.entries(found)) {
      if (name === handedOn) given[name] = tensor;
      else results[name] = tensor;
    }
  }
  return results;
}

const only = <T>(all: Readonly<Record<string, T>>, names: readonly string[]): Record<string, T> =>
  Object.fromEntries(names.flatMap((name) => (name in all ? [[name, all[name]!]] : [])));
