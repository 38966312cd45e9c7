/** Scenes of several things: captions that say all of it, and captions in the style that a prompt shows. */
import { caption, readCaption, styleOf } from "../../words/captions.js";
import { documentAt } from "../../words/documents.js";
import { type Facts, factsOf, lexiconOf, sameFacts } from "../../words/facts.js";
import { queryOf } from "../../words/forms.js";
import { demonstrationsOf, mostShots, nameWith, promptWith } from "../demonstrations.js";
import { pngOfScene, seedOf, testScene, type World } from "../drawn.js";
import type { Task } from "../task.js";

/** The longest captions have some forty tokens. */
const maxNewTokens = 48;

/** As many of one, two and three things each. @param shots examples of such captions before the query */
export function scenesTask(world: World, shots = 0): Task {
  const seed = seedOf(world, "scenes");
  const seedOfShots = seedOf(world, "examples of scenes");
  const lexicon = lexiconOf(world.things);
  return {
    name: nameWith("scenes", shots),
    about: { kind: "scene captions", shots },
    measures: [
      {
        name: "whole",
        what: "scenes of one to three things: caption wholly right (things, counts, relation)",
        ...(shots === 0 && { aim: 0.7, isMain: true }),
      },
      { name: "kinds", what: "scenes: the kinds of things right, whatever is said of counts and relation" },
      { name: "counts", what: "scenes: kinds and counts right, whatever is said of the relation" },
    ],
    maxNewTokens,
    async query(index) {
      const scene = testScene(world, seed, index, { count: 1 + (index % 3) });
      const facts = factsOf(scene);
      const examples = await demonstrationsOf(shots, async (position) => {
        const number = index * mostShots + position;
        const example = testScene(world, seedOfShots, number, { count: 1 + (number % 3) });
        return { image: await pngOfScene(world, example), text: `Output:${caption(factsOf(example))}` };
      });
      return {
        prompt: promptWith(examples, "Output:"),
        images: [...examples.map(({ image }) => image), await pngOfScene(world, scene)],
        accepted: [caption(facts)],
        parts: { things: String(scene.placed.length), relation: facts.relation ? "said" : "none" },
        judge({ text }) {
          const said = readCaption(text, lexicon)?.facts;
          return {
            whole: said !== undefined && sameFacts(said, facts),
            kinds: said !== undefined && itemsOf(said, false) === itemsOf(facts, false),
            counts: said !== undefined && itemsOf(said, true) === itemsOf(facts, true),
          };
        },
      };
    },
  };
}

/** Things, with their numbers or without, in no order. */
const itemsOf = ({ counted }: Facts, withCounts: boolean): string =>
  counted
    .map(({ thing, count }) => (withCounts ? `${count} ${thing.name}` : thing.name))
    .sort()
    .join();

/** Four captions in one of the styles, then an image: is its caption in that style? */
export function stylesTask(world: World): Task {
  const name = "styles";
  const seed = seedOf(world, name);
  const lexicon = lexiconOf(world.things);
  return {
    name,
    measures: [
      {
        name: "followed",
        what: "a caption style shown in four demonstrations is followed",
        aim: 0.9,
        isMain: true,
      },
      { name: "whole", what: "captions in a style shown in four demonstrations: followed and wholly right" },
    ],
    maxNewTokens,
    async query(index) {
      const document = documentAt({
        kind: "styles",
        things: world.things,
        seed,
        index,
        split: "test",
        shots: 4,
        sceneAt(number) {
          const scene = testScene(world, seed, number);
          return { scene, facts: factsOf(scene) };
        },
      });
      const { prompt, images, answer } = queryOf(document);
      const style = styleOf(answer)!;
      const wanted = readCaption(answer, lexicon)!.facts;
      return {
        prompt,
        images: await Promise.all(
          images.flatMap((image) => ("scene" in image ? [pngOfScene(world, image.scene)] : [])),
        ),
        accepted: [answer],
        parts: { style },
        judge({ text }) {
          const isFollowed = styleOf(text) === style;
          const said = readCaption(text, lexicon)?.facts;
          return {
            followed: isFollowed,
            whole: isFollowed && said !== undefined && sameFacts(said, wanted),
          };
        },
      };
    },
  };
}
