/**
 * New names from the prompt alone: names that no training says, for things that no training names, and for handwritten
 * characters of alphabets that no training shows.
 *
 * An answer is judged in two ways: greedily over the whole vocabulary, and as a choice among the prompt's names by
 * ranking, of which blind choice finds one in as many as there are names.
 */
import { type BindingKind, bindingKinds, type Document } from "../../words/document.js";
import { documentAt } from "../../words/documents.js";
import { drawsAt } from "../../words/draws.js";
import { queryOf } from "../../words/forms.js";
import { groupedBy } from "../../world/groupedBy.js";
import type { Character } from "../../world/photographs.node.js";
import { pngOf } from "../../world/png.js";
import type { Thing } from "../../world/scene.js";
import { pngOfScene, seedOf, testScene, type World } from "../drawn.js";
import { isAccepted, type Measure, type Query, type Task, wrongBefore } from "../task.js";

/** How many names there are, and demonstrations in all. */
interface Form {
  readonly ways: number;
  readonly shots: number;
}

const forms: readonly Form[] = [
  ...[0, 2, 4, 8, 16].map((shots) => ({ ways: 2, shots })),
  ...[8, 16].map((shots) => ({ ways: 4, shots })),
];
const omniglotForms: readonly Form[] = [2, 4, 8].map((shots) => ({ ways: 2, shots }));

/** More than a document has images. */
const imagesPerQuery = 32;

/** All forms of all kinds; in those where words stand for things, the things are ones that training names. */
export const bindingTasks = (world: World): readonly Task[] =>
  bindingKinds
    .filter((kind) => kind !== "mixed")
    .flatMap((kind) => forms.map((form) => bindingTask(world, kind, form)));

function bindingTask(world: World, kind: BindingKind, form: Form): Task {
  const name = `names-${kind}-${form.ways}way-${form.shots}shots`;
  const seed = seedOf(world, name);
  const of = kind === "image-image" ? "things never named in training" : `things, ${kind.replace("-", "/")}`;
  const isMain = kind === "image-image" && (form.ways === 4 || form.shots === 8 || form.shots === 0);
  const aim = kind === "image-image" && form.ways === 2 && form.shots === 8 ? 0.8 : undefined;
  return {
    name,
    measures: measuresOf(`nonsense names for ${of}`, form, { isMain, ...(aim !== undefined && { aim }) }),
    maxNewTokens: 8,
    about: { kind, ...form },
    async query(index) {
      const document = documentOf(world.things, { kind, seed, index }, form);
      return asked(document, (thing, position) =>
        pngOfScene(world, testScene(world, seed, index * imagesPerQuery + position, { kinds: [thing] })),
      );
    },
  };
}

/** @param characters drawings of alphabets that training does not have */
export function omniglotTasks(world: World, characters: readonly Character[]): readonly Task[] {
  const alphabets = alphabetsOf(world.things, characters);
  return omniglotForms.map((form): Task => {
    const name = `omniglot-${form.ways}way-${form.shots}shots`;
    const seed = seedOf(world, name);
    return {
      name,
      measures: measuresOf("Omniglot characters of a held-out alphabet", form, { isMain: true }),
      maxNewTokens: 8,
      about: { kind: "omniglot", ...form },
      async query(index) {
        const draws = drawsAt(seed, "evaluate/omniglot", index);
        const { name: alphabet, things, drawings } = draws.pick(alphabets);
        const document = documentOf(things, { kind: "image-image", seed, index }, form);
        // Nobody's drawing comes twice: the query is by another hand than all demonstrations.
        const drawers = draws.shuffled([...drawings.values()][0]!.map((_, drawer) => drawer));
        const query = await asked(document, (thing, position) =>
          pngOf(drawings.get(thing.name)![drawers[position]!]!.pixels),
        );
        return { ...query, parts: { alphabet } };
      },
    };
  });
}

interface Alphabet {
  readonly name: string;
  /** Its characters as things never named, beside those of the world, whose words no made-up name may be. */
  readonly things: readonly Thing[];
  /** By the character's name. */
  readonly drawings: ReadonlyMap<string, readonly Character[]>;
}

function alphabetsOf(things: readonly Thing[], characters: readonly Character[]): readonly Alphabet[] {
  const worldly = things.map((thing) => ({ ...thing, isNamed: true }));
  return [...groupedBy(characters, ({ alphabet }) => alphabet)].map(([name, of]) => {
    const drawings = groupedBy(of, ({ kind }) => kind);
    const own = [...drawings.keys()].map((kind): Thing => ({ name: kind, group: "objects", isNamed: false }));
    return { name, things: [...worldly, ...own], drawings };
  });
}

const documentOf = (
  things: readonly Thing[],
  which: { readonly kind: BindingKind; readonly seed: number; readonly index: number },
  form: Form,
): Document<never> =>
  documentAt<never>({
    ...which,
    ...form,
    things,
    split: "test",
    form: "direct",
    sceneAt() {
      throw new Error("bindings have no scenes");
    },
  });

async function asked(
  document: Document<never>,
  draw: (thing: Thing, position: number) => Promise<Uint8Array>,
): Promise<Query> {
  const { prompt, images, answer, choices = [] } = queryOf(document);
  const accepted = [answer];
  return {
    prompt,
    images: await Promise.all(images.flatMap((image, i) => ("thing" in image ? [draw(image.thing, i)] : []))),
    accepted,
    choices,
    judge: (said) => ({
      ranked: wrongBefore({ accepted, choices }, said) === 0,
      greedy: isAccepted(accepted, said),
    }),
  };
}

const words: Readonly<Record<number, string>> = { 2: "two", 4: "four" };

const measuresOf = (
  what: string,
  { ways, shots }: Form,
  main: Pick<Measure, "aim" | "isMain">,
): readonly Measure[] => [
  { name: "ranked", what: `${what}, ${words[ways]}-way, ${shots} shots`, chance: 1 / ways, ...main },
  { name: "greedy", what: `${what}, ${words[ways]} names, ${shots} shots, over the whole vocabulary` },
];
