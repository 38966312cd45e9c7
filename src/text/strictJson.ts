/**
 * Reads untrusted JSON: what is not expected is rejected, with its place in the file.
 *
 * `where` is that place, e.g. `normalizer.normalizers[1].type`.
 */
import { OpenFlamingoError } from "../base/errors.js";
import { isObject, type JsonObject } from "../base/json.js";

type Fields<Key extends string> = Readonly<Record<Key, unknown>>;
/** The keys that a part may have beside `type`, for each type. */
type Kinds = Readonly<Record<string, readonly string[]>>;
type Part<K extends Kinds> = Fields<K[keyof K][number]> & {
  readonly type: keyof K;
  readonly where: string;
};

export function reject(where: string, problem: string): never {
  throw new OpenFlamingoError("tokenizer-invalid", `tokenizer.json: ${where} ${problem}`, {
    hint: "Take the tokenizer.json of a GPT-NeoX, MPT, GPT-2 or CLIP model as its authors published it.",
  });
}

/** A value in a message: short, whatever the file holds. */
export function show(value: unknown): string {
  if (value === undefined) return "absent";
  if (typeof value === "object" && value !== null) return Array.isArray(value) ? "a list" : "an object";
  const text = JSON.stringify(value);
  return text.length <= 60 ? text : `${text.slice(0, 60)}…`;
}

/** One of the values that are known. */
export function only<const T>(value: unknown, where: string, known: readonly T[]): T {
  if (!known.includes(value as T)) reject(where, `is ${show(value)}; known: ${known.map(show).join(", ")}`);
  return value as T;
}

export function string(value: unknown, where: string): string {
  if (typeof value !== "string") reject(where, `is ${show(value)}, not a string`);
  return value;
}

export function list(value: unknown, where: string): readonly unknown[] {
  if (!Array.isArray(value)) reject(where, `is ${show(value)}, not a list`);
  return value;
}

export function object(value: unknown, where: string): JsonObject {
  if (!isObject(value)) reject(where, `is ${show(value)}, not an object`);
  return value;
}

/** An object that has no other keys than these. */
export function fields<const Key extends string>(
  value: unknown,
  where: string,
  keys: readonly Key[],
): Fields<Key> {
  const other = Object.keys(object(value, where)).find((key) => !(keys as readonly string[]).includes(key));
  if (other !== undefined) reject(where, `has ${show(other)}, which is not known`);
  return value as Fields<Key>;
}

/** An object whose `type` says which other keys it may have. */
export function part<const K extends Kinds>(value: unknown, where: string, kinds: K): Part<K> {
  const { type } = object(value, where);
  const kind = only(type, `${where}.type`, Object.keys(kinds));
  return { ...fields(value, where, ["type", ...kinds[kind]!]), where } as Part<K>;
}

/** One part, or the parts of a `Sequence`, which holds no further `Sequence`. */
export function sequence<const K extends Kinds>(
  value: unknown,
  where: string,
  key: string,
  kinds: K,
): Part<K>[] {
  const { type } = object(value, where);
  if (type !== "Sequence") return [part(value, where, kinds)];
  const parts = fields(value, where, ["type", key])[key];
  return list(parts, `${where}.${key}`).map((item, i) => part(item, `${where}.${key}[${i}]`, kinds));
}
