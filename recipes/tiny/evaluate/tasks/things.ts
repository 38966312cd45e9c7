/** One thing alone: what is it called? */
import { caption } from "../../words/captions.js";
import { factsOf } from "../../words/facts.js";
import { type Style, trainedStyles } from "../../world/scene.js";
import { pngOfScene, seedOf, testScene, type World } from "../drawn.js";
import { isAccepted, type Measure, type Task } from "../task.js";

/** A thing in a style that training draws, as training never composes it. */
export const thingsTask = (world: World): Task =>
  named(world, "things", trainedStyles, {
    name: "named",
    what: `a thing in a trained style, new composition: its name among ${nameable(world)}`,
    aim: 0.85,
    isMain: true,
  });

/** A thing in a style that training never draws. */
export const newStyleTask = (world: World): Task =>
  named(world, "things-new-style", ["openmoji"], {
    name: "named",
    what: "a thing in the style never trained on (OpenMoji)",
    aim: 0.45,
    isMain: true,
  });

const nameable = ({ things }: World) => things.filter(({ isNamed }) => isNamed).length;

function named(world: World, name: string, styles: readonly Style[], measure: Measure): Task {
  const seed = seedOf(world, name);
  return {
    name,
    measures: [measure],
    maxNewTokens: 20,
    async query(index) {
      const scene = testScene(world, seed, index, { count: 1, styles });
      const { thing, style } = scene.placed[0]!;
      const accepted = [caption(factsOf(scene))];
      return {
        prompt: "<image>Output:",
        images: [await pngOfScene(world, scene)],
        accepted,
        parts: { group: thing.group, ...(styles.length > 1 && { style }) },
        judge: (said) => ({ named: isAccepted(accepted, said) }),
      };
    },
  };
}
