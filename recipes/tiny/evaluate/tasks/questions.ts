/** Questions about a scene with a short answer. */
import { drawsAt } from "../../words/draws.js";
import { factsOf } from "../../words/facts.js";
import { kindsFor, questionOf } from "../../words/questions.js";
import { demonstrationsOf, mostShots, nameWith, promptWith } from "../demonstrations.js";
import { pngOfScene, seedOf, testScene, type World } from "../drawn.js";
import { isAccepted, type Task } from "../task.js";

/**
 * Scenes of one to four things, as often as training has each, and a question of a kind by lot.
 *
 * @param shots examples of such questions before the query
 */
export function questionsTask(world: World, shots = 0): Task {
  const seed = seedOf(world, "questions");
  const seedOfShots = seedOf(world, "examples of questions");
  const named = world.things.filter(({ isNamed }) => isNamed);
  const questionAt = async (from: number, index: number) => {
    const scene = testScene(world, from, index);
    const facts = factsOf(scene);
    const draws = drawsAt(from, "evaluate/questions", index);
    const { kind, question, answer } = questionOf(draws.pick(kindsFor(facts)), facts, named, draws);
    const parts = { kind, things: String(scene.placed.length) };
    return {
      parts,
      answer,
      asked: `Question:${question} Short answer:`,
      image: await pngOfScene(world, scene),
    };
  };
  return {
    name: nameWith("questions", shots),
    about: { kind: "scene questions", shots },
    measures: [{ name: "answered", what: "scene questions", ...(shots === 0 && { aim: 0.8, isMain: true }) }],
    maxNewTokens: 16,
    async query(index) {
      const examples = await demonstrationsOf(shots, async (position) => {
        const example = await questionAt(seedOfShots, index * mostShots + position);
        return { image: example.image, text: example.asked + example.answer };
      });
      const { parts, answer, asked, image } = await questionAt(seed, index);
      const accepted = [answer];
      return {
        prompt: promptWith(examples, asked),
        images: [...examples.map((each) => each.image), image],
        accepted,
        parts,
        judge: (said) => ({ answered: isAccepted(accepted, said) }),
      };
    },
  };
}
