/** How a web address is shown in messages: without the parts that may be secret. */

/**
 * Scheme, host and path. User name, password, query and fragment are left out: tokens are kept there.
 *
 * @param address a URL object, or text that begins as an `http:` or `https:` address does
 */
export function shownAddress(address: URL | string): string {
  // What cannot be parsed may still hold a password.
  if (!URL.canParse(String(address))) return "a malformed web address";
  const { protocol, host, pathname } = new URL(address);
  if (!/^https?:$/.test(protocol)) return `${protocol}…`; // of data: the path is all of it
  return `${protocol}//${host}${pathname}`;
}
