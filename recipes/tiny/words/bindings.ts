/**
 * Bindings: documents in which new names are given to a few things and said again, so that the name of the last one
 * follows from the chunks before it and from nothing else.
 *
 * The name follows the thing directly ("pizza dax"), since a small language model learns that far sooner than with words
 * between them; the other form is that of captions.
 */
import type { Thing } from "../world/scene.js";
import { type BindingKind, type Chunk, type Document, type DocumentOptions, mostChunks } from "./document.js";
import type { Draws } from "./draws.js";
import { nonsenseNames, type Split, wordsOf } from "./nonsense.js";
import { recipeWords } from "./recipeWords.js";

/** @param options.things not fewer than `ways` that may be used */
export function bindingAt<S>(
  options: DocumentOptions<S> & { readonly kind: BindingKind },
  draws: Draws,
): Document<S> {
  const {
    kind,
    split = "train",
    form = draws.chance(0.75) ? "direct" : "caption",
    mostChunks: most = mostChunks,
  } = options;
  const ways = options.ways ?? 2 + draws.below(3);
  const shots = options.shots ?? Math.max(3, ways) + draws.below(most - Math.max(3, ways));
  const things = draws.some(usable(options.things, kind, split), ways);
  const names = newNames(options.things, split, ways, draws);
  const called = things.map((thing, i) => ({ thing, name: names[i]! }));

  const drawnQueries = () => (split === "test" ? 1 : 1 + draws.below(Math.max(1, shots + 1 - ways)));
  const queries = Math.min(options.queries ?? drawnQueries(), shots + 1);

  // Each is named before any is asked for; in tests as often as the others, so that no answer is the frequent one.
  const given = shots + 1 - queries;
  const shown = called.slice(0, Math.max(1, given));
  const drawn = (count: number) => Array.from({ length: count }, () => draws.pick(shown));
  const demonstrations = Array.from({ length: given }, (_, i) =>
    i < ways || split === "test" ? called[i % ways]! : draws.pick(called),
  );
  const items = [...draws.shuffled(demonstrations), ...drawn(queries)];

  const share = 0.25 + 0.25 * (draws.below(1001) / 1000);
  const isImage = items.map((_, i) =>
    showsImage(kind, i >= items.length - queries, () => draws.chance(share)),
  );
  // A document without images is none for training over images.
  if (kind === "mixed" && !isImage.includes(true)) isImage[items.length - 1] = true;
  const chunks = items.map(({ thing, name }, i): Chunk<S> => {
    const isDirect = form === "direct";
    return {
      shown: isImage[i] ? { kind: "thing", thing } : { kind: "words" },
      words: isDirect ? ` ${thing.name}` : `(${thing.name})`,
      prompt: isDirect ? "" : "Output:",
      answer: isDirect ? ` ${name}` : `a ${name}`,
    };
  });
  return { kind, chunks, choices: names.map((name) => (form === "direct" ? ` ${name}` : `a ${name}`)) };
}

/** Things whose names no text says can only be shown in images. */
const usable = (things: readonly Thing[], kind: BindingKind, split: Split): readonly Thing[] =>
  things.filter(({ isNamed }) => isNamed !== (split === "test" && kind === "image-image"));

function showsImage(kind: BindingKind, isQuery: boolean, coin: () => boolean): boolean {
  switch (kind) {
    case "text-text":
      return false;
    case "image-image":
      return true;
    case "image-query":
      return isQuery;
    case "text-query":
      return !isQuery;
    case "mixed":
      return coin();
  }
}

const known = new WeakMap<readonly Thing[], Map<Split, readonly string[]>>();

/** The made-up names of a split for a recipe of these things. */
export function namesFor(things: readonly Thing[], split: Split): readonly string[] {
  const bySplit = known.get(things) ?? new Map<Split, readonly string[]>();
  known.set(things, bySplit);
  const names =
    bySplit.get(split) ?? nonsenseNames(split, wordsOf([...things.map(({ name }) => name), ...recipeWords]));
  bySplit.set(split, names);
  return names;
}

/** Names that begin with different letters, so that the first token of each says which it is. */
function newNames(things: readonly Thing[], split: Split, count: number, draws: Draws): readonly string[] {
  const all = namesFor(things, split);
  const names: string[] = [];
  while (names.length < count) {
    const name = draws.pick(all);
    if (names.every((other) => other[0] !== name[0])) names.push(name);
  }
  return names;
}
