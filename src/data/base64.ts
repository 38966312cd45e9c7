/**
 * Base64 as Python's `b64decode` reads it: characters that are none of the alphabet's are ignored, and nothing counts
 * after the padding. Node's own reader takes two letters more and is content with any length.
 *
 * Source: CPython 3.10, Modules/binascii.c, `a2b_base64`.
 */

/** @returns undefined for text of an impossible length */
export function readBase64(text: string): Uint8Array | undefined {
  const isPlain = text.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(text);
  const data = isPlain ? text : dataOf(text);
  return data === undefined ? undefined : new Uint8Array(Buffer.from(data, "base64"));
}

/** What counts of a text; undefined where a character or padding is missing. */
function dataOf(text: string): string | undefined {
  const parts: string[] = [];
  let [length, padding] = [0, 0];
  for (const [part] of text.matchAll(/[A-Za-z0-9+/]+|=/g)) {
    if (part === "=") {
      padding++;
      if (length % 4 >= 2 && (length % 4) + padding >= 4) return parts.join("");
      continue;
    }
    padding = 0;
    parts.push(part);
    length += part.length;
  }
  return length % 4 === 0 ? parts.join("") : undefined;
}
