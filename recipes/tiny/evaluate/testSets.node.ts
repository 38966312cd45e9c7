/** Test sets of photographs and handwritten characters that lie beside the project: what no training is given. */
import { join } from "node:path";
import {
  type Character,
  cifar10,
  omniglot,
  type Photograph,
  type PhotographOptions,
  tinyImageNet,
} from "../world/photographs.node.js";

/** An empty list where one is not at hand. */
export interface TestSets {
  readonly cifar10: readonly Photograph[];
  readonly tinyImageNet: readonly Photograph[];
  /** Of the alphabets that training does not have. */
  readonly omniglot: readonly Character[];
}

export interface ReadTestSets {
  /** Whether a set is needed, by the name with which its tasks begin. */
  readonly isWanted: (name: string) => boolean;
  /** Makes a receiver of the progress of decoding, with images. */
  readonly progress?: (what: string) => NonNullable<PhotographOptions["progress"]>;
  /** Where decoded images are kept. Default: in a folder of the recipe's packages. */
  readonly cache?: string;
}

/**
 * @param folder with `cifar10`, `tinyimagenet` and `omniglot`, or some of them. Left out: none are read
 * @returns the sets, and the names of those that are wanted and not there
 */
export async function readTestSets(
  folder: string | undefined,
  { isWanted, progress, cache }: ReadTestSets,
): Promise<{ readonly sets: TestSets; readonly missing: readonly string[] }> {
  const missing: string[] = [];
  const read = async <T>(
    name: string,
    from: (folder: string, options: PhotographOptions) => Promise<readonly T[]>,
  ): Promise<readonly T[]> => {
    if (!isWanted(name)) return [];
    const options = {
      ...(progress && { progress: progress(`decoding ${name}`) }),
      ...(cache !== undefined && { cache }),
    };
    const found = folder === undefined ? [] : await from(join(folder, name), options);
    if (found.length === 0) missing.push(name);
    return found;
  };
  const sets = {
    cifar10: await read("cifar10", (at, options) => cifar10(at, "test", options)),
    tinyImageNet: await read("tinyimagenet", (at, options) => tinyImageNet(at, "test", options)),
    omniglot: await read("omniglot", (at) => omniglot(at, "evaluation")),
  };
  return { sets, missing };
}
