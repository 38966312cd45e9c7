/**
 * CLIP's way to decode: every `</w>` becomes a space and the ends are stripped, also while the text still arrives.
 *
 * Source: transformers 4.33.3, `CLIPTokenizerFast`.
 */

/** A filter for text in pieces: `push` returns what is certain, `end` the rest. */
export function createWordEnds(): { push(text: string): string; end(): string } {
  let held = "";
  let started = false;
  return {
    push(text) {
      held = (held + text).replaceAll("</w>", " ");
      let from = 0;
      if (!started) while (isWhiteSpace(held[from])) from++;
      // An unfinished `</w>` may become white space, and white space may turn out to be the end.
      let to = /<(?:\/w?)?$/.exec(held)?.index ?? held.length;
      while (to > from && isWhiteSpace(held[to - 1])) to--;
      const certain = held.slice(from, to);
      held = held.slice(to);
      started ||= certain !== "";
      return certain;
    },
    end: () => (isWhiteSpace(held.at(-1)) ? "" : held),
  };
}

/** As Python's `strip` sees it: U+001C to U+001F are white space too. */
const isWhiteSpace = (unit: string | undefined): boolean =>
  unit !== undefined && (/\p{White_Space}/u.test(unit) || (unit >= "\u001c" && unit <= "\u001f"));
