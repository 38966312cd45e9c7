/** Photographs from test sets: what kind of thing do they show? */
import { drawsAt } from "../../words/draws.js";
import { withArticle } from "../../words/names.js";
import type { Photograph } from "../../world/photographs.node.js";
import { pngOf, seedOf } from "../drawn.js";
import { isAccepted, type Measure, type Task, wrongBefore } from "../task.js";

/** Photographs of a test set, and from which seed the order in which they are asked for follows. */
export interface PhotographSet {
  /** Not empty. */
  readonly photographs: readonly Photograph[];
  readonly seed: number;
}

export const cifar10Task = (set: PhotographSet): Task =>
  kindsTask("cifar10", set, true, [
    { name: "named", what: "CIFAR-10 photographs: the class named", aim: 0.65, isMain: true },
    { name: "first", what: "CIFAR-10 photographs: the class first among ten by ranking", chance: 0.1 },
  ]);

export const tinyImageNetTask = (set: PhotographSet): Task =>
  kindsTask("tinyimagenet", set, false, [
    {
      name: "first",
      what: "Tiny ImageNet photographs: the kind named among 202, top 1 by ranking",
      aim: 0.25,
      chance: 1 / 202,
      isMain: true,
    },
    {
      name: "five",
      what: "Tiny ImageNet photographs: the same, top 5 by ranking",
      aim: 0.5,
      chance: 5 / 202,
      isMain: true,
    },
    { name: "named", what: "Tiny ImageNet photographs: the kind named greedily" },
  ]);

/** @param byKind whether the report says how well each kind is known */
function kindsTask(
  name: string,
  { photographs, seed }: PhotographSet,
  byKind: boolean,
  measures: readonly Measure[],
): Task {
  const order = drawsAt(seedOf({ seed }, name), "evaluate/order", 0).shuffled(photographs);
  const choices = [...new Set(photographs.map(({ kind }) => withArticle(kind)))].sort();
  return {
    name,
    measures,
    maxNewTokens: 20,
    most: photographs.length,
    async query(index) {
      const { pixels, kind, names } = order[index]!;
      const accepted = names.map(withArticle);
      // Another kind's name may be a second name of this one; as a choice only its own counts.
      const ranked = { accepted: [withArticle(kind)], choices };
      return {
        prompt: "<image>Output:",
        images: [await pngOf(pixels)],
        accepted,
        choices,
        ...(byKind && { parts: { kind } }),
        judge(said) {
          const wrong = wrongBefore(ranked, said);
          return { named: isAccepted(accepted, said), first: wrong < 1, five: wrong < 5 };
        },
      };
    },
  };
}
