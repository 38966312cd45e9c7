/**
 * Brace patterns of names: `shard-{000..127}.tar`, `{train,val}-{0..9}.tar`, `x{0..10..5}.tar`.
 *
 * Reference: braceexpand 0.1.7, which webdataset uses: as in bash, sequences keep leading zeros, and what is no pattern
 * stays as it is written.
 */
import { OpenFlamingoError } from "../base/errors.js";
import { quoted } from "../base/quoted.js";

/** More names are no list of shards but a slip of the keyboard. */
const mostNames = 1_000_000;

/**
 * All names that a pattern stands for, in their order, the last braces changing fastest.
 *
 * @throws OpenFlamingoError `usage` for more than a million names
 */
export function expandBraces(pattern: string): string[] {
  const count = (names: number) => {
    if (names <= mostNames) return;
    throw new OpenFlamingoError(
      "usage",
      `${quoted(pattern)} stands for more than ${mostNames.toLocaleString("en-US")} names`,
      {
        hint: "Check the numbers in its braces, or name a folder of shards.",
      },
    );
  };
  return expand(pattern, count);
}

type Count = (names: number) => void;

function expand(text: string, count: Count): string[] {
  for (let open = text.indexOf("{"); open >= 0; open = text.indexOf("{", open + 1)) {
    const parts = partsAt(text, open);
    if (!parts) continue;
    const choices = choicesOf(parts.items, count);
    if (!choices) continue;
    const before = text.slice(0, open);
    const rests = expand(text.slice(parts.end), count);
    count(choices.length * rests.length);
    return choices.flatMap((choice) => rests.map((rest) => before + choice + rest));
  }
  return [text];
}

/** What stands between a brace and the one that closes it, cut at the commas that are in no braces of their own. */
function partsAt(text: string, open: number): { readonly items: string[]; readonly end: number } | undefined {
  const items: string[] = [];
  let [depth, start] = [0, open + 1];
  for (let i = open + 1; i < text.length; i++) {
    const c = text[i];
    if (c === "{") depth++;
    else if (c === "}" && depth > 0) depth--;
    else if (depth === 0 && (c === "," || c === "}")) {
      items.push(text.slice(start, i));
      start = i + 1;
      if (c === "}") return { items, end: start };
    }
  }
  return undefined;
}

/** What braces stand for; undefined where they are part of a name. */
function choicesOf(items: readonly string[], count: Count): string[] | undefined {
  if (items.length > 1) return items.flatMap((item) => expand(item, count));
  return numbers(items[0]!, count) ?? letters(items[0]!);
}

function numbers(text: string, count: Count): string[] | undefined {
  const [, first, last, step = "1"] = /^(-?\d+)\.\.(-?\d+)(?:\.\.(-?\d+))?$/.exec(text) ?? [];
  if (first === undefined || last === undefined) return undefined;
  const isPadded = [first, last].some((number) => /^-?0\d/.test(number));
  const width = isPadded ? Math.max(first.length, last.length) : 0;
  const by = Math.abs(Number(step)) || 1;
  count(Math.abs(Number(last) - Number(first)) / by + 1);
  return sequence(Number(first), Number(last), by).map((number) =>
    number < 0 ? `-${String(-number).padStart(width - 1, "0")}` : String(number).padStart(width, "0"),
  );
}

function letters(text: string): string[] | undefined {
  const [, first, last, step = "1"] = /^([A-Za-z])\.\.([A-Za-z])(?:\.\.(-?\d+))?$/.exec(text) ?? [];
  if (first === undefined || last === undefined) return undefined;
  const codes = sequence(first.charCodeAt(0), last.charCodeAt(0), Math.abs(Number(step)) || 1);
  return codes.map((code) => String.fromCharCode(code));
}

/** From one number to another, upwards or downwards. */
function sequence(first: number, last: number, by: number): number[] {
  const length = Math.floor(Math.abs(last - first) / by) + 1;
  return Array.from({ length }, (_, i) => first + (last < first ? -i : i) * by);
}
