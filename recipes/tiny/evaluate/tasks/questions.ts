/** Questions about a scene with a short answer. */
import { drawsAt } from "../../words/draws.js";
import { kindsFor, questionOf } from "../../words/questions.js";
import { factsOf, pngOfScene, seedOf, testScene, type World } from "../drawn.js";
import { isAccepted, type Task } from "../task.js";

/** Scenes of one to four things, as often as training has each, and a question of a kind by lot. */
export function questionsTask(world: World): Task {
  const name = "questions";
  const seed = seedOf(world, name);
  const named = world.things.filter(({ isNamed }) => isNamed);
  return {
    name,
    measures: [{ name: "answered", what: "scene questions", aim: 0.8, isMain: true }],
    maxNewTokens: 16,
    async query(index) {
      const scene = testScene(world, seed, index);
      const facts = factsOf(scene);
      const draws = drawsAt(seed, "evaluate/questions", index);
      const { kind, question, answer } = questionOf(draws.pick(kindsFor(facts)), facts, named, draws);
      const accepted = [answer];
      return {
        prompt: `<image>Question:${question} Short answer:`,
        images: [await pngOfScene(world, scene)],
        accepted,
        parts: { kind, things: String(scene.placed.length) },
        judge: (said) => ({ answered: isAccepted(accepted, said) }),
      };
    },
  };
}
