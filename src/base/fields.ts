/**
 * Reads values of a JSON file into types: a table of readers says what a file may hold, and every value that is not as
 * it should be is reported with its place. The only reader of fields for all files that are untrusted input.
 *
 * A key that is absent is given to its reader as undefined; `null` is a value like any other.
 */
import { isObject, type JsonObject } from "./json.js";
import { quoted } from "./quoted.js";

/** Something wrong in a file. */
export interface Fault {
  /** Where: `attn_config.alibi`, `added_tokens[3].content`. */
  readonly at: string;
  /** What: `is "x"; it must be an object`. */
  readonly what: string;
  /** Whether the value may be right, and only this program cannot do what it asks for. */
  readonly unsupported: boolean;
}

/**
 * Reads a value and reports what is wrong with it. What it returns after a report is not to be used: `readFields`
 * throws then.
 */
export type Reader<T> = (value: unknown, at: string, report: (fault: Fault) => void) => T;

type Table = Readonly<Record<string, Reader<unknown>>>;
/** What a table of readers makes of an object. */
export type Read<T extends Table> = { readonly [Key in keyof T]: ReturnType<T[Key]> };

/**
 * Reads a value.
 *
 * @param file what messages call a value that has no place in it
 * @param fail makes the error from all that is wrong
 */
export function readFields<T>(
  reader: Reader<T>,
  value: unknown,
  fail: (faults: readonly Fault[]) => Error,
  file = "the file",
): T {
  const faults: Fault[] = [];
  const result = reader(value, "", (fault) => faults.push(fault.at === "" ? { ...fault, at: file } : fault));
  if (faults.length > 0) throw fail(faults);
  return result;
}

/** A reader for values that hold a condition. */
export const valueThat =
  <T>(holds: (value: unknown) => boolean, what: string): Reader<T> =>
  (value, at, report) => {
    if (!holds(value)) report({ at, what: wrong(value, what), unsupported: false });
    return value as T;
  };

const wrong = (value: unknown, what: string) =>
  value === undefined ? `is missing; it must be ${what}` : `is ${quoted(value)}; it must be ${what}`;

/** An integer from `min` to `max`. */
export const integer = (min: number, max: number): Reader<number> =>
  valueThat(
    (value) => Number.isSafeInteger(value) && Number(value) >= min && Number(value) <= max,
    max === Number.MAX_SAFE_INTEGER ? `an integer ≥ ${min}` : `an integer from ${min} to ${max}`,
  );

/** An integer from `min` on. */
export const count = (min: number): Reader<number> => integer(min, Number.MAX_SAFE_INTEGER);

/** A number from `min` to `max`; `above`: `min` itself is not among them. */
export const number = (min: number, max: number, { above = false } = {}): Reader<number> =>
  valueThat(
    (value) => typeof value === "number" && (above ? value > min : value >= min) && value <= max,
    above ? `a number above ${min}, at most ${max}` : `a number from ${min} to ${max}`,
  );

export const boolean: Reader<boolean> = valueThat((value) => typeof value === "boolean", "true or false");

export const string: Reader<string> = valueThat((value) => typeof value === "string", "a string");

/** A string with at least one character. */
export const text: Reader<string> = valueThat(
  (value) => typeof value === "string" && value !== "",
  "a string that is not empty",
);

export const anyFunction = <T>(): Reader<T> =>
  valueThat<T>((value) => typeof value === "function", "a function");

export const jsonObject: Reader<JsonObject> = valueThat(isObject, "an object");

export const anything: Reader<unknown> = (value) => value;

/** One of the values that the format knows. */
export const oneOf = <const T extends string | number | boolean | null | undefined>(
  ...known: readonly T[]
): Reader<T> => valueThat((value) => known.includes(value as T), known.map(quoted).join(" or "));

/** One of the values that are supported; others may be right elsewhere. Objects are compared by their JSON. */
export const only =
  (...supported: readonly unknown[]): Reader<void> =>
  (value, at, report) => {
    const same = (other: unknown) => JSON.stringify(value) === JSON.stringify(other);
    if (supported.some(same)) return;
    const values = supported.map(quoted).join(" or ");
    report({ at, what: `is ${quoted(value)}; only ${values} is supported`, unsupported: true });
  };

/** A value that need not be there. */
export function optional<T>(reader: Reader<T>): Reader<T | undefined>;
export function optional<T>(reader: Reader<T>, byDefault: T): Reader<T>;
export function optional<T>(reader: Reader<T>, byDefault?: T): Reader<T | undefined> {
  return (value, at, report) => (value === undefined ? byDefault : reader(value, at, report));
}

/** A value that may be null. */
export const nullable =
  <T>(reader: Reader<T>): Reader<T | null> =>
  (value, at, report) =>
    value === null ? null : reader(value, at, report);

/** A list of `min` to `max` items. */
export const listOf =
  <T>(item: Reader<T>, min = 0, max = Number.POSITIVE_INFINITY): Reader<readonly T[]> =>
  (value, at, report) => {
    const sized =
      min === max
        ? `a list of ${min}`
        : max !== Number.POSITIVE_INFINITY
          ? `a list of ${min} to ${max}`
          : min === 0
            ? "a list"
            : `a list of ${min} or more`;
    if (!Array.isArray(value) || value.length < min || value.length > max) {
      report({ at, what: wrong(value, sized), unsupported: false });
      return [];
    }
    return value.map((each, i) => item(each, `${at}[${i}]`, report));
  };

/** An object with any keys, whose values are read alike. */
export const recordOf =
  <T>(item: Reader<T>): Reader<ReadonlyMap<string, T>> =>
  (value, at, report) => {
    const entries = Object.entries(jsonObject(value, at, report) ?? {});
    return new Map(entries.map(([key, each]) => [key, item(each, `${at}[${quoted(key)}]`, report)]));
  };

/** What a reader has read, converted; a value with faults is not. */
export const converted =
  <T, U>(reader: Reader<T>, convert: (value: T) => U): Reader<U> =>
  (value, at, report) => {
    let isWrong = false;
    const result = reader(value, at, (fault) => {
      isWrong = true;
      report(fault);
    });
    return isWrong ? (undefined as U) : convert(result);
  };

/**
 * An object with the keys of a table and no others.
 *
 * @param options.ignored which further keys change nothing here
 */
export const object =
  <const T extends Table>(
    table: T,
    { ignored = () => false }: { ignored?: (key: string, value: unknown) => boolean } = {},
  ): Reader<Read<T>> =>
  (value, at, report) => {
    if (!isObject(value)) {
      report({ at, what: wrong(value, "an object"), unsupported: false });
      return {} as Read<T>;
    }
    const inside = (key: string) => (at === "" ? key : `${at}.${key}`);
    const own = (key: string) => (Object.hasOwn(value, key) ? value[key] : undefined);
    const result = Object.fromEntries(
      Object.entries(table).map(([key, reader]) => [key, reader(own(key), inside(key), report)]),
    );
    for (const key of Object.keys(value)) {
      if (Object.hasOwn(table, key) || ignored(key, value[key])) continue;
      report({ at: quoted(inside(key)), what: "is no key of this file that is known", unsupported: true });
    }
    return result as Read<T>;
  };

/** An object whose `type` says which table its other keys are read by. */
export const byType =
  <const K extends Readonly<Record<string, Table>>>(
    kinds: K,
  ): Reader<{ [Kind in keyof K]: Read<K[Kind]> & { readonly type: Kind } }[keyof K]> =>
  (value, at, report) => {
    const names = Object.keys(kinds) as (keyof K & string)[];
    const type = isObject(value) ? value.type : undefined;
    const kind = names.find((name) => name === type);
    const table = kind === undefined ? { type: oneOf(...names) } : { type: oneOf(...names), ...kinds[kind] };
    // Keys of a kind that is not known say nothing.
    const ignored = () => kind === undefined;
    return object(table, { ignored })(value, at, report) as never;
  };

/** Faults in a message: `a.b is 1; it must be a string` and so on, at most ten. */
export function faultList(faults: readonly Fault[]): string {
  const shown = faults.slice(0, 10).map(({ at, what }) => `${at} ${what}`);
  return [...shown, ...(faults.length > 10 ? [`and ${faults.length - 10} more`] : [])].join("; ");
}
