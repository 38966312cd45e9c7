/** Where a redirect leads, and what may be taken along. Source: the Fetch standard, "HTTP-redirect fetch". */

import { quoted } from "../base/quoted.js";
import type { Fail } from "./connect.node.js";

/** More redirects are not followed. */
export const maxRedirects = 5;

export const isRedirect = (status: number | undefined): boolean =>
  status !== undefined && [301, 302, 303, 307, 308].includes(status);

/** What the caller has sent to one server that any other may see; all else may be a credential. */
const harmless = new Set(["accept", "if-match", "if-none-match", "if-range", "user-agent"]);

export const isWeb = ({ protocol }: URL): boolean => /^https?:$/.test(protocol);

/**
 * The address that a `Location` header leads to.
 *
 * The text itself goes into no error, also not as its cause: it is the server's, and may hold credentials.
 *
 * @param location as Node gives it, a byte a character
 * @param fail makes the error from what is wrong
 */
export function redirected(from: URL, location: string | undefined, fail: Fail): URL {
  const failure = { reason: "redirect" } as const;
  if (location === undefined) throw fail("redirects without saying where to", failure);
  const text = new TextDecoder().decode(Uint8Array.from(location, (c) => c.charCodeAt(0)));
  if (!URL.canParse(text, from.href)) throw fail("redirects to a malformed address", failure);
  const to = new URL(text, from);
  if (!isWeb(to))
    throw fail(`redirects to an address of ${quoted(to.protocol)}, which is not fetched`, failure);
  if (from.protocol === "https:" && to.protocol === "http:") {
    throw fail("redirects from https to http, which is not encrypted", failure);
  }
  if (to.username !== "" || to.password !== "")
    throw fail("redirects to an address with a user name or password", failure);
  return to;
}

/** The headers that go along from one address to the next. Once left out they stay so, also on the way back. */
export function headersAfter(
  headers: Readonly<Record<string, string>>,
  { from, to }: { readonly from: URL; readonly to: URL },
): Readonly<Record<string, string>> {
  if (from.origin === to.origin) return headers;
  return Object.fromEntries(Object.entries(headers).filter(([name]) => harmless.has(name.toLowerCase())));
}
