/**
 * A settings file: options of the training by their names, in YAML or JSON, which YAML contains. It is untrusted input:
 * a map of plain values and lists of them, without anchors, tags and second meanings.
 */
import { dirname, isAbsolute, resolve } from "node:path";
import {
  type CST,
  isMap,
  isNode,
  isScalar,
  LineCounter,
  type Pair,
  Parser,
  parseDocument,
  visit,
} from "yaml";
import { OpenFlamingoError } from "../../base/errors.js";
import type { JsonObject } from "../../base/json.js";
import { readText } from "../../checkpoints/file.node.js";
import { optionOf, type PlaceOf, readTrainingOptions } from "./readOptions.js";
import type { TrainingOptions } from "./table.js";

/** What a file gives: values by the options' names, and where each stands in it. */
export interface Settings {
  readonly values: JsonObject;
  readonly placeOf: PlaceOf;
}

/** Bytes that are read; every option with a hundred shards takes 20 KiB. */
const longest = 2 ** 20;

/** Lists and maps in each other: an option is a value or a list of values. */
const deepest = 8;

/**
 * Reads a file, whose values are then to be checked by `readTrainingOptions`, together with those of the command line.
 *
 * Paths that are relative are so to the file's folder.
 *
 * @throws OpenFlamingoError `usage` where it cannot be read or is no map of options; what is wrong with its form is said
 *   at once, with lines; the signal's reason
 */
export async function readSettingsFile(path: string, signal?: AbortSignal): Promise<Settings> {
  const read = await readText({ path }, { limit: longest, signal });
  if ("fault" in read) throw invalid(path, [read.fault], read.cause);
  return parseSettings(read.text, path);
}

/**
 * Reads a file and all of its options.
 *
 * @param over options that were given otherwise, which count more than the file's
 * @throws OpenFlamingoError `usage` with every fault, with its key and line
 */
export async function readSettings(
  path: string,
  over: JsonObject = {},
  signal?: AbortSignal,
): Promise<TrainingOptions> {
  const { values, placeOf } = await readSettingsFile(path, signal);
  const given = Object.fromEntries(Object.entries(over).filter(([, value]) => value !== undefined));
  return readTrainingOptions({ ...values, ...given }, (name) =>
    Object.hasOwn(given, name) ? undefined : placeOf(name),
  );
}

/** @param path of the file, for messages and for paths in it */
export function parseSettings(text: string, path: string): Settings {
  const lines = new LineCounter();
  const lineOf = (offset: number) => `line ${lines.linePos(offset).line}`;
  const document = parsed(text, path, lines);
  const faults = [...document.errors, ...document.warnings].map(
    ({ code, pos }) => `${lineOf(pos[0])}: is not YAML that is read here: ${inWords(code)}`,
  );
  visit(document, {
    Alias: (_, { range }) => void faults.push(`${lineOf(range?.[0] ?? 0)}: aliases (*name) are not read`),
  });
  const { contents } = document;
  if (faults.length === 0 && contents !== null && !isMap(contents)) {
    faults.push("must be a map from names of options to their values");
  }
  if (faults.length > 0) throw invalid(path, faults);
  const values: Record<string, unknown> = {};
  const places = new Map<string, string>();
  for (const { key, value } of (isMap(contents) ? contents.items : []) as Pair[]) {
    const line = lineOf((isNode(key) && key.range?.[0]) || 0);
    const name = isScalar(key) ? String(key.value) : "a list";
    places.set(name, `${line} of ${path}`);
    // Under its own name also where that is one that every object has.
    const read: unknown = isNode(value) ? value.toJS(document, { maxAliasCount: 0 }) : value;
    Object.defineProperty(values, name, { value: inFolder(name, read, path), enumerable: true });
  }
  return { values, placeOf: (name) => places.get(name) };
}

function parsed(text: string, path: string, lineCounter: LineCounter) {
  const plain = text.replace(/^\ufeff/, "");
  // Before documents are made of the tokens, which takes the library's stack; Node ends where that is full.
  if (isDeep(plain)) throw invalid(path, [`nests more than ${deepest} deep`]);
  // Without the library's own messages, which show the text as it is; no merge keys, no types beyond JSON's.
  const how = { lineCounter, prettyErrors: false, schema: "core", merge: false, logLevel: "error" } as const;
  return parseDocument(plain, how);
}

/** Whether lists and maps stand in each other beyond what is read: from the tokens, one after the other. */
function isDeep(text: string): boolean {
  const waiting: { readonly token: CST.Token | null | undefined; readonly depth: number }[] = [];
  for (const token of new Parser().parse(text)) waiting.push({ token, depth: 0 });
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const { token, depth } = next;
    if (depth > deepest) return true;
    if (!token) continue;
    if (token.type === "document") waiting.push({ token: token.value, depth });
    if (!("items" in token)) continue;
    for (const { key, value } of token.items) {
      waiting.push({ token: key, depth: depth + 1 }, { token: value, depth: depth + 1 });
    }
  }
  return false;
}

/** A code of the library as words: `DUPLICATE_KEY` → `duplicate key`. */
const inWords = (code: string): string => code.toLowerCase().replaceAll("_", " ");

const invalid = (path: string, faults: readonly string[], cause?: unknown) =>
  new OpenFlamingoError("usage", `the settings file ${path}: ${faults.slice(0, 20).join("; ")}`, {
    hint: "It has a line `name: value` for each option; docs/training-options.md has them all.",
    cause,
  });

/** A value whose relative paths are made absolute, so that the file means the same wherever it is read from. */
function inFolder(name: string, value: unknown, file: string): unknown {
  const kind = optionOf(name)?.kind;
  const absolute = (path: unknown): unknown => {
    if (
      typeof path !== "string" ||
      path === "" ||
      isAbsolute(path) ||
      /^[a-z][a-z0-9+.-]+:\/\//i.test(path)
    ) {
      return path;
    }
    return resolve(dirname(file), path);
  };
  if (kind === "paths" && Array.isArray(value)) return value.map(absolute);
  const isFolderOfModel = kind === "model" && typeof value === "string" && /^\.\.?(\/|$)/.test(value);
  const isPath = kind === "path" || kind === "paths" || isFolderOfModel;
  return isPath ? absolute(value) : value;
}
