/** What the library calls its options, as the command line calls them: `returnSequences` → `--return-sequences`. */
import type { OpenFlamingoError } from "../base/errors.js";

/** Options whose flag is not their own name. */
const others: Readonly<Record<string, string>> = { images: "--image", words: "--labels" };

/** The library's names that are no everyday words: they are options wherever they stand in a message. */
const names = [
  ...["maxNewTokens", "minNewTokens", "lengthPenalty", "beamLength", "earlyStopping", "returnSequences"],
  ...["topK", "topP", "minP", "repetitionPenalty", "noRepeatNgramSize", "logProbs"],
];

const flagOf = (name: string): string =>
  others[name] ?? `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;

/** A message or hint of an error in the command line's words. */
export function inFlags(text: string, { code, data }: Pick<OpenFlamingoError, "code" | "data">): string {
  if (code !== "usage" && code !== "memory") return text;
  const concerned = Array.isArray(data.options) ? (data.options as readonly string[]) : [];
  const all = [...new Set([...names, ...concerned])].filter((name) => /^[a-z]\w*$/i.test(name));
  return text.replace(new RegExp(`(?<![-\\w/])(${all.join("|")})(?![\\w(])`, "g"), flagOf);
}
