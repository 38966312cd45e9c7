/**
 * Text of a file or a user inside a message or a notice: without characters that a terminal obeys or that turn the
 * reading around. The only place that decides which characters those are.
 */

/**
 * Controls (C0, DEL, C1), format characters (bidirectional, zero width, tags), line separators, lone surrogates; but
 * not the two joiners, which are letters' neighbours in several scripts.
 */
const notShown = /(?![\u200c\u200d])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;

const longest = 100;

/**
 * A value as JSON writes it, on one line of at most 100 characters: `"a\nb"`, `[1,2]`, `absent` for undefined. Time and
 * memory do not grow with the value.
 */
export function quoted(value: unknown): string {
  const text = escaped(written(value, longest));
  const points = Array.from(text.slice(0, 2 * longest));
  return text.length > longest ? `${points.slice(0, longest - 1).join("")}…` : text;
}

/** The same characters escaped in running text, whose line breaks and tabs are kept. */
export const printable = (text: string): string =>
  text.replace(notShown, (c) => (c === "\n" || c === "\t" ? c : escaped(c)));

/**
 * Text on one line, without quotes. Escapes as JavaScript reads them: `\u001b`, and two for a character beyond the
 * first 65,536.
 */
export const escaped = (text: string): string =>
  text.replace(notShown, (c) =>
    Array.from({ length: c.length }, (_, i) => `\\u${c.charCodeAt(i).toString(16).padStart(4, "0")}`).join(
      "",
    ),
  );

/** JSON text of at least the first `room` characters of the value's. */
function written(value: unknown, room: number): string {
  if (value === undefined) return "absent";
  if (typeof value === "string") return JSON.stringify(value.slice(0, room));
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "function" || typeof value === "symbol") return `a ${typeof value}`;
  if (typeof value !== "object" || value === null) return String(value);
  const parts: string[] = [];
  const isList = Array.isArray(value);
  let length = 0;
  for (const key in value) {
    const item = written((value as Record<string, unknown>)[key], room - length);
    parts.push(isList ? item : `${JSON.stringify(key.slice(0, room))}:${item}`);
    length += parts.at(-1)!.length + 1;
    if (length > room) break;
  }
  return isList ? `[${parts}]` : `{${parts}}`;
}
