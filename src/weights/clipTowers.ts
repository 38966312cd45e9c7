/** The weights of CLIP's towers with what turns their tokens into features: of one at work, and of a folder to be made. */
import { OpenFlamingoError } from "../base/errors.js";
import type { Checkpoint } from "../checkpoints/checkpoint.js";
import { matchTensors } from "../checkpoints/match.js";
import type { Compiled, WeightUse } from "../onnx/compile.js";
import { isInFile, type Weight } from "../runtime/runtime.js";
import { liveName, type Tower, towers } from "./clipNames.js";
import { type FoundWeight, type ReadOptions, readWeights } from "./loadWeights.js";

/**
 * The weights of one of the towers, by CLIP's own names.
 *
 * @param loaded the weights of a Flamingo, by the reference implementation's names: what is among them is not read
 *   again
 * @throws OpenFlamingoError `checkpoint-mismatch` with every missing, unexpected and mis-shaped tensor;
 *   `weights-not-finite`; `memory`; and what reading a file can throw
 */
export async function loadTower(
  tower: Tower,
  uses: readonly WeightUse[],
  checkpoint: Checkpoint,
  loaded: ReadonlyMap<string, Weight>,
  options?: ReadOptions,
): Promise<ReadonlyMap<string, Weight>> {
  return readTower(uses, findTower(tower, uses, checkpoint), loaded, options);
}

/** The same where the tensors were found. */
export async function readTower(
  uses: readonly WeightUse[],
  found: ReadonlyMap<string, FoundWeight>,
  loaded: ReadonlyMap<string, Weight>,
  options: ReadOptions = {},
): Promise<ReadonlyMap<string, Weight>> {
  const weights = new Map<string, Weight>();
  for (const { name } of uses) {
    const ready = loaded.get(liveName(name));
    if (ready && !isInFile(ready)) weights.set(name, ready);
  }
  const missing = uses.filter(({ name }) => !weights.has(name));
  const toRead = missing.map(({ tensor }) => [tensor, found.get(tensor)!] as const);
  for (const [name, weight] of await readWeights(missing, new Map(toRead), options))
    weights.set(name, weight);
  return weights;
}

/** Weights to be prepared, and where their tensors are, by the reference implementation's names. */
export interface FoundUses {
  readonly uses: readonly WeightUse[];
  readonly found: ReadonlyMap<string, FoundWeight>;
}

/**
 * What the features of a tower need; nothing where configuration and checkpoint do not hold the whole of it, as
 * generation needs less.
 */
export function findFeatures(tower: Tower, compiled: () => Compiled, checkpoint: Checkpoint): FoundUses {
  try {
    const { weights } = compiled();
    const found = findTower(tower, weights, checkpoint);
    return {
      uses: weights.map((use) => ({ ...use, name: liveName(use.name), tensor: liveName(use.tensor) })),
      found: new Map([...found].map(([tensor, match]) => [liveName(tensor), match])),
    };
  } catch (error) {
    if (error instanceof OpenFlamingoError) return { uses: [], found: new Map() };
    throw error;
  }
}

function findTower(
  tower: Tower,
  uses: readonly WeightUse[],
  checkpoint: Checkpoint,
): ReadonlyMap<string, FoundWeight> {
  const wanted = new Map(uses.map(({ tensor, from }) => [tensor, { shape: from }]));
  const rename = (name: string) => (towers[tower].test(name) ? name : undefined);
  try {
    const matches = matchTensors(wanted, [{ checkpoint, rename }]);
    return new Map([...matches].map(([tensor, match]) => [tensor, { ...match, shape: match.info.shape }]));
  } catch (error) {
    if (!(error instanceof OpenFlamingoError)) throw error;
    const hint = `Features of ${tower === "text" ? "texts" : "images"} need the whole of CLIP, as open_clip and OpenAI publish it.`;
    throw new OpenFlamingoError(error.code, error.message, { hint, cause: error });
  }
}
