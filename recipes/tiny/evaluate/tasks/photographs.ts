/** Photographs from test sets: what kind of thing do they show? */
import { drawsAt } from "../../words/draws.js";
import { withArticle } from "../../words/names.js";
import type { Photograph } from "../../world/photographs.node.js";
import { pngOf } from "../../world/png.js";
import { demonstrationsOf, nameWith, promptWith } from "../demonstrations.js";
import { seedOf } from "../drawn.js";
import { isAccepted, type Task, wrongBefore } from "../task.js";

/** Photographs of a test set, and from which seed the order in which they are asked for follows. */
export interface PhotographSet {
  /** Not empty. */
  readonly photographs: readonly Photograph[];
  readonly seed: number;
}

/** @param shots examples before the query, which are other photographs of the set */
export const cifar10Task = (set: PhotographSet, shots = 0): Task => ({
  ...kindsTask("cifar10", set, { shots, byKind: true }),
  about: { kind: "CIFAR-10", shots },
  measures: [
    {
      name: "named",
      what: "CIFAR-10 photographs: the class named",
      ...(shots === 0 && { aim: 0.65, isMain: true }),
    },
    { name: "first", what: "CIFAR-10 photographs: the class first among ten by ranking", chance: 0.1 },
  ],
});

export const tinyImageNetTask = (set: PhotographSet): Task => ({
  ...kindsTask("tinyimagenet", set, { shots: 0, byKind: false }),
  measures: [
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
  ],
});

interface Asking {
  readonly shots: number;
  /** Whether the report says how well each kind is known. */
  readonly byKind: boolean;
}

function kindsTask(
  name: string,
  { photographs, seed }: PhotographSet,
  { shots, byKind }: Asking,
): Omit<Task, "measures"> {
  const own = seedOf({ seed }, name);
  const order = drawsAt(own, "evaluate/order", 0).shuffled(photographs);
  const choices = [...new Set(photographs.map(({ kind }) => withArticle(kind)))].sort();
  return {
    name: nameWith(name, shots),
    maxNewTokens: 20,
    most: photographs.length,
    async query(index) {
      const { pixels, kind, names } = order[index]!;
      const others = drawsAt(own, "evaluate/examples", index).some(
        order.filter((_, i) => i !== index),
        shots,
      );
      const examples = await demonstrationsOf(others.length, async (position) => ({
        image: await pngOf(others[position]!.pixels),
        text: `Output:${withArticle(others[position]!.kind)}`,
      }));
      const accepted = names.map(withArticle);
      // Another kind's name may be a second name of this one; as a choice only its own counts.
      const ranked = { accepted: [withArticle(kind)], choices };
      return {
        prompt: promptWith(examples, "Output:"),
        images: [...examples.map(({ image }) => image), await pngOf(pixels)],
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
