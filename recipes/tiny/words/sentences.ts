/** Plain sentences about things and their groups, as a small part of the language model's text. */
import { groups, type Thing } from "../world/scene.js";
import { drawsAt } from "./draws.js";
import { listed } from "./facts.js";
import { isPlural, withArticle } from "./names.js";
import { groupWords } from "./questions.js";

/** How large things are, the smallest first. */
const bySize = [
  ...[
    "ant",
    "coin",
    "key",
    "snail",
    "egg",
    "mouse",
    "hamster",
    "banana",
    "rabbit",
    "cat",
    "dog",
    "sheep",
    "chair",
  ],
  ...["lion", "bicycle", "horse", "taxi", "elephant", "bus", "house", "church", "stadium", "mountain"],
];

const capital = (text: string) => text[0]!.toUpperCase() + text.slice(1);

/**
 * A few sentences; a pure function.
 *
 * @param things those that are named, at least one of every group
 */
export function sentencesAt(things: readonly Thing[], seed: number, index: number): string {
  const draws = drawsAt(seed, "sentences", index);
  const sized = bySize.filter((name) => things.some((thing) => thing.name === name));
  const sentences = Array.from({ length: 3 + draws.below(4) }, () => {
    const kind = draws.weighted({ group: 3, several: 2, size: sized.length > 1 ? 1 : 0 });
    if (kind === "group") {
      const { name, group } = draws.pick(things);
      return `${capital(withArticle(name))} ${isPlural(name) ? "belong" : "belongs"} to ${groupWords[group]}.`;
    }
    if (kind === "several") {
      const group = draws.pick(groups);
      const some = draws.some(
        things.filter((thing) => thing.group === group),
        3,
      );
      return `${capital(groupWords[group])}: ${listed(some.map(({ name }) => withArticle(name)))}.`;
    }
    const [a, b] = draws.some(sized, 2) as [string, string];
    const relation = sized.indexOf(a) < sized.indexOf(b) ? "smaller" : "bigger";
    return `${capital(withArticle(a))} is ${relation} than ${withArticle(b)}.`;
  });
  return sentences.join(" ");
}
