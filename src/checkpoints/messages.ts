/** The errors of the checkpoint readers, and how a stranger's values stand in messages. */
import { OpenFlamingoError } from "../base/errors.js";

/** The error for a file that is truncated or contradicts itself. */
export const damaged = (name: string, what: string, cause?: unknown): OpenFlamingoError =>
  new OpenFlamingoError("checkpoint-damaged", `${name}: ${what}`, {
    hint: "The file is not whole, or was changed after it was written: fetch it again.",
    cause,
  });

/** The error for a file that may be whole, but is of a kind that is not read. */
export const refused = (name: string, what: string, hint: string): OpenFlamingoError =>
  new OpenFlamingoError("checkpoint-refused", `${name}: ${what}`, { hint });

/** A value on one line, without control characters, not too long. */
export function quoted(value: unknown): string {
  const text = JSON.stringify(value) ?? "undefined";
  return text.length > 100 ? `${text.slice(0, 99)}…` : text;
}

/** The first of many items. */
export function listed(items: readonly string[], separator = ", ", most = 10): string {
  const more = items.length - most;
  return items.slice(0, most).join(separator) + (more > 0 ? `${separator}and ${more} more` : "");
}
