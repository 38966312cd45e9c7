/**
 * JSON from strangers. `JSON.parse` keeps the last of two values with the same name and says nothing; for a header, an
 * index or a configuration that is a way to show one file to a checker and another to a reader, so here it is a fault.
 */

export type JsonObject = Readonly<Record<string, unknown>>;

export const isObject = (value: unknown): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Lists and objects in each other; what is read here needs seven. */
const deepest = 100;

/**
 * Parses text that must be JSON, with no name twice in one object.
 *
 * @param fail makes the error from what is wrong
 */
export function parseJson(text: string, fail: (what: string, cause?: unknown) => Error): unknown {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw fail("is not valid JSON", cause);
  }
  const fault = faultIn(text);
  if (fault !== undefined) throw fail(fault);
  return value;
}

/** The same for text that must be one object. */
export function parseJsonObject(text: string, fail: (what: string, cause?: unknown) => Error): JsonObject {
  const value = parseJson(text, fail);
  if (!isObject(value)) throw fail("must be a JSON object");
  return value;
}

/** A value on one line, without control characters, not too long. */
export function quoted(value: unknown): string {
  const text = JSON.stringify(value) ?? "absent";
  return text.length > 100 ? `${text.slice(0, 99)}…` : text;
}

/** What is wrong with valid JSON: too deep, or a name twice in one object. */
function faultIn(text: string): string | undefined {
  const open: Set<string>[] = []; // for each object or list that is open, the names in it
  for (let i = 0; i < text.length; i++) {
    const c = text[i];
    if (c === "{" || c === "[") {
      if (open.push(new Set()) > deepest) return `nests more than ${deepest} deep`;
    } else if (c === "}" || c === "]") open.pop();
    else if (c === '"') {
      const start = i++;
      while (text[i] !== '"') i += text[i] === "\\" ? 2 : 1;
      let next = i + 1;
      while (" \t\r\n".includes(text[next] ?? "end")) next++;
      if (text[next] !== ":") continue; // a value
      const name: string = JSON.parse(text.slice(start, i + 1));
      if (open.at(-1)?.has(name)) return `holds the name ${quoted(name)} twice`;
      open.at(-1)?.add(name);
    }
  }
  return undefined;
}
