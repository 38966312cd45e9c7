/** The errors of the checkpoint readers, and how lists of faults stand in messages. */
import { OpenFlamingoError } from "../base/errors.js";

/** The error for a file that is truncated or contradicts itself. */
export const damaged = (
  name: string,
  what: string,
  cause?: unknown,
  hint = "The file is not whole, or was changed after it was written: fetch it again.",
): OpenFlamingoError => new OpenFlamingoError("checkpoint-damaged", `${name}: ${what}`, { hint, cause });

/** The error for a file that may be whole, but is of a kind that is not read. */
export const rejected = (name: string, what: string, hint: string): OpenFlamingoError =>
  new OpenFlamingoError("checkpoint-rejected", `${name}: ${what}`, { hint });

/** The first of many items. */
export function listed(items: readonly string[], separator = ", ", most = 10): string {
  const more = items.length - most;
  return items.slice(0, most).join(separator) + (more > 0 ? `${separator}and ${more} more` : "");
}
