/**
 * Untrusted JSON. `JSON.parse` keeps the last of two values with the same name and says nothing; for a header, an
 * index or a configuration that is a way to show one file to a checker and another to a reader, so here it is a fault.
 */
import { jsonFault } from "./jsonFault.js";
import { quoted } from "./quoted.js";

export type JsonObject = Readonly<Record<string, unknown>>;

/** What JSON can hold. */
export type JsonValue =
  | null
  | boolean
  | number
  | string
  | readonly JsonValue[]
  | { readonly [key: string]: JsonValue };

export const isObject = (value: unknown): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Lists and objects in each other; what is read here needs seven. */
const deepest = 100;

/**
 * Parses text that must be JSON, with no name twice in one object. A byte order mark in front is ignored.
 *
 * @param fail makes the error from what is wrong, with line and column where it is no JSON
 */
export function parseJson(whole: string, fail: (what: string, cause?: unknown) => Error): unknown {
  const text = whole.startsWith("\ufeff") ? whole.slice(1) : whole;
  // Before parsing, which takes memory for every level.
  if (isDeep(text)) throw fail(`nests more than ${deepest} deep`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // The backend's own error is no cause: it holds a piece of the text as it is.
    throw fail(`is not valid JSON: ${jsonFault(text)}`);
  }
  const name = nameTwice(text);
  if (name !== undefined) throw fail(`holds the name ${quoted(name)} twice`);
  return value;
}

/** The same for text that must be one object. */
export function parseJsonObject(text: string, fail: (what: string, cause?: unknown) => Error): JsonObject {
  const value = parseJson(text, fail);
  if (!isObject(value)) throw fail("must be a JSON object");
  return value;
}

/** Whether a text that may be JSON has lists and objects in each other beyond what is read. */
function isDeep(text: string): boolean {
  let depth = 0;
  for (let i = 0; i < text.length; i++) {
    const c = text[i];
    if (c === '"') i = endOfString(text, i);
    else if (c === "}" || c === "]") depth--;
    else if ((c === "{" || c === "[") && ++depth > deepest) return true;
  }
  return false;
}

/** Where the string that begins at `start` ends; the text's end if it does not. */
function endOfString(text: string, start: number): number {
  let i = start + 1;
  while (i < text.length && text[i] !== '"') i += text[i] === "\\" ? 2 : 1;
  return i;
}

/** A name that comes twice in one object of valid JSON. */
function nameTwice(text: string): string | undefined {
  const open: Set<string>[] = []; // for each object or list that is open, the names in it
  for (let i = 0; i < text.length; i++) {
    const c = text[i];
    if (c === "{" || c === "[") open.push(new Set());
    else if (c === "}" || c === "]") open.pop();
    else if (c === '"') {
      const start = i;
      i = endOfString(text, start);
      let next = i + 1;
      while (" \t\r\n".includes(text[next] ?? "end")) next++;
      if (text[next] !== ":") continue; // a value
      const name: string = JSON.parse(text.slice(start, i + 1));
      if (open.at(-1)?.has(name)) return name;
      open.at(-1)?.add(name);
    }
  }
  return undefined;
}
