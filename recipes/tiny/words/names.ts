/** Names of things in phrases: "a pizza", "an umbrella", "some scissors", "two loaves of bread". */

/** Words for 0 to 10. */
export const numbers = [
  ...["none", "one", "two", "three", "four", "five"],
  ...["six", "seven", "eight", "nine", "ten"],
] as const;

/** From a key with its list to the key of each item. */
const byItem = (lists: Readonly<Record<string, string>>): ReadonlyMap<string, string> =>
  new Map(Object.entries(lists).flatMap(([key, items]) => items.split(", ").map((item) => [item, key])));

/**
 * What has no plural, by what it is counted in. Names that an image shows as one piece ("ice cream", "fire") are not
 * among them.
 */
const units = byItem({
  loaf: "bread",
  piece: "butter, meat on bone, sushi, coral, luggage",
  slice: "bacon",
  head: "broccoli",
  bulb: "garlic",
  bowl: "cooked rice, shaved ice",
  plate: "curry rice, spaghetti",
  box: "popcorn",
  stick: "oden",
  patch: "fog",
  place: "camping",
  strand: "dna",
  bar: "soap",
  bundle: "money with wings",
});

/** Last words whose plural follows no rule, by that plural. */
const irregular = new Map([
  ...byItem({ mice: "mouse", geese: "goose", oxen: "ox", dice: "die" }),
  ..."deer moose bison fish blowfish jellyfish shrimp squid moai"
    .split(" ")
    .map((word) => [word, word] as const),
]);

/** What follows these words only describes: "nests with eggs", "snowmen in the snow". */
const describing = / (?:of|with|without|on|in|at|over) /;

const headOf = (name: string): string => {
  const at = name.search(describing);
  return at < 0 ? name : name.slice(0, at);
};

/** Whether a name is a plural already, like "scissors". */
export function isPlural(name: string): boolean {
  const head = headOf(name);
  return head === "skis" || (/s$/.test(head) && !/(?:ss|us|is|os)$/.test(head));
}

/**
 * What stands before a name: "some" before plurals and what is not counted. Without it such a name would follow
 * `Output:` directly, and be other tokens there than behind a space.
 */
export function articleOf(name: string): "a" | "an" | "some" {
  if (isPlural(name) || units.has(name)) return "some";
  if (/^(?:uni|use|uti|eu|ewe|one\b|once|uk)/.test(name)) return "a";
  // Letters that are spelt begin with a vowel: "an x-ray".
  return /^(?:[aeiou]|hour|[fhlmnrsx]-)/.test(name) ? "an" : "a";
}

/** "a pizza", "an owl", "some scissors" */
export const withArticle = (name: string): string => `${articleOf(name)} ${name}`;

/** The plural as it follows a number: "pizzas", "loaves of bread", "ballet shoes". */
export function pluralOf(name: string): string {
  const unit = units.get(name);
  if (unit !== undefined) return `${pluralOfWord(unit)} of ${name}`;
  if (isPlural(name)) return name;
  const head = headOf(name);
  return head.split(" and ").map(pluralOfLast).join(" and ") + name.slice(head.length);
}

const pluralOfLast = (words: string): string => words.replace(/[^ ]+$/, pluralOfWord);

function pluralOfWord(word: string): string {
  const known = irregular.get(word);
  if (known !== undefined) return known;
  if (/(?:leaf|loaf|wolf|scarf|sheaf)$/.test(word)) return `${word.slice(0, -1)}ves`;
  if (/knife$/.test(word)) return `${word.slice(0, -2)}ves`;
  if (/man$/.test(word)) return `${word.slice(0, -2)}en`;
  if (/(?:tomato|potato|mango|volcano|buffalo|mosquito|tornado)$/.test(word)) return `${word}es`;
  if (/(?:s|x|z|ch|sh)$/.test(word)) return `${word}es`;
  if (/[^aeiou]y$/.test(word)) return `${word.slice(0, -1)}ies`;
  return `${word}s`;
}

/**
 * "a pizza", "two pizzas", "three loaves of bread".
 *
 * @param count a whole number from 1 to 10
 */
export const counted = (name: string, count: number): string =>
  count === 1 ? withArticle(name) : `${numbers[count]} ${pluralOf(name)}`;
