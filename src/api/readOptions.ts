/** Checks the options of a call: names, types and ranges, all faults in one error. */
import { OpenFlamingoError } from "../base/errors.js";
import {
  type Fault,
  faultList,
  object,
  optional,
  type Read,
  type Reader,
  readFields,
  valueThat,
} from "../base/fields.js";
import { isObject } from "../base/json.js";
import { nearest } from "../base/nearest.js";
import { quoted } from "../base/quoted.js";

type Readers = Readonly<Record<string, Reader<unknown>>>;

/** Every call can be stopped. */
export const signal: Reader<AbortSignal | undefined> = optional(
  valueThat<AbortSignal>((value) => value instanceof AbortSignal, "an AbortSignal"),
);

/**
 * The options of a call, checked. A misspelt name would silently be without effect: it is an error too.
 *
 * @param call its name, for messages
 * @param readers a reader for each option
 * @throws OpenFlamingoError `usage` with everything that is wrong; its data have the `options` concerned
 */
export function readOptions<R extends Readers>(call: string, readers: R, options: unknown): Read<R> {
  if (options !== undefined && !isObject(options)) {
    throw new OpenFlamingoError("usage", `${call}: the options are ${quoted(options)}, not an object`, {
      hint: `Its options are ${Object.keys(readers).join(", ")}.`,
    });
  }
  const given = options ?? {};
  requireKnown(call, given, Object.keys(readers));
  const fail = (faults: readonly Fault[]) =>
    new OpenFlamingoError("usage", `${call}: ${faultList(faults)}`, {
      hint: "Correct it, or leave it out for the default.",
      data: { options: [...new Set(faults.map(({ at }) => at.match(/^\w+/)?.[0] ?? at))] },
    });
  return readFields(object(readers, { ignored: () => true }), given, fail, "the options");
}

function requireKnown(call: string, options: object, known: readonly string[]): void {
  const unknown = Object.keys(options).filter((name) => !known.includes(name));
  if (unknown.length === 0) return;
  const [first] = unknown;
  const meant = nearest(first!, known);
  const hint = meant === undefined ? `Its options are ${known.join(", ")}.` : `Did you mean ${meant}?`;
  throw new OpenFlamingoError("usage", `${call} has no option ${unknown.map(quoted).join(", ")}`, {
    hint,
    data: { options: unknown },
  });
}
