/**
 * What open_clip does to a text before it is encoded: common repairs, HTML's character references, white space, lower
 * case. Text that was read in a wrong encoding ("schÃ¶n") is not repaired (docs/differences.md).
 *
 * Source: open_clip 2.20.0, src/open_clip/tokenizer.py, `basic_clean` and `whitespace_clean`; ftfy 6.3, `fix_text`.
 */
import { decodeHTML, decodeHTMLStrict } from "entities";

/** A text as CLIP's tokenizer is to see it. */
export function repairedForClip(text: string): string {
  const unescaped = unescapeHtml(unescapeHtml(fixedText(text)));
  return unescaped
    .replace(/\p{White_Space}+/gu, " ")
    .replace(/^ | $/g, "")
    .toLowerCase();
}

/** ftfy's `fix_text`: line by line. From a line on that has a `<`, character references are left as they are. */
function fixedText(text: string): string {
  let isHtml = false;
  return text
    .split(/(?<=\n)/)
    .map((line) => {
      isHtml ||= line.includes("<");
      return fixedLine(line, isHtml);
    })
    .join("");
}

/** The fixes in their order, until nothing changes: one may make work for another. */
function fixedLine(line: string, isHtml: boolean): string {
  for (let text = line; ; ) {
    const before = text;
    if (!isHtml) text = text.replace(/&#?[0-9A-Za-z]{1,24};/g, certainReference);
    text = fixes.reduce((fixed, fix) => fix(fixed), text).normalize("NFC");
    if (text === before) return text;
  }
}

/**
 * Of the bytes 0x80 to 0x9f; where Windows-1252 has none, the control itself. Decoders of some engines give controls
 * only.
 */
const windows1252 = Array.from("€\u0081‚ƒ„…†‡ˆ‰Š‹Œ\u008dŽ\u008f\u0090‘’“”•–—˜™š›œ\u009džŸ");

const ligatures = new Map(
  Object.entries({
    Ĳ: "IJ",
    ĳ: "ij",
    ŉ: "ʼn",
    Ǳ: "DZ",
    ǲ: "Dz",
    ǳ: "dz",
    Ǆ: "DŽ",
    ǅ: "Dž",
    ǆ: "dž",
    Ǉ: "LJ",
    ǈ: "Lj",
    ǉ: "lj",
    Ǌ: "NJ",
    ǋ: "Nj",
    ǌ: "nj",
    ﬀ: "ff",
    ﬁ: "fi",
    ﬂ: "fl",
    ﬃ: "ffi",
    ﬄ: "ffl",
    ﬅ: "ſt",
    ﬆ: "st",
  }),
);
const aLigature = new RegExp(`[${[...ligatures.keys()].join("")}]`, "g");

const terminalEscape = new RegExp(`${String.fromCharCode(27)}\\[[\\p{Nd};]*[a-zA-Z]`, "gu");
/** Controls that are white space, and the five that Windows-1252 does not name. */
const isKept = (c: string) => "\t\n\f\r".includes(c) || (c >= "\u0080" && c <= "\u009f");

const fixes: readonly ((text: string) => string)[] = [
  // C1 controls, as browsers read them.
  (text) => text.replace(/[\u0080-\u009f]/g, (c) => windows1252[c.charCodeAt(0) - 0x80]!),
  (text) => text.replace(aLigature, (c) => ligatures.get(c)!),
  // Full-width and half-width forms.
  (text) => text.replace(/\u3000/g, " ").replace(/[\uff01-\uffef]/g, (c) => c.normalize("NFKC")),
  (text) => text.replace(/[\u201c-\u201f]/g, '"').replace(/[\u02bc\u2018-\u201b]/g, "'"),
  (text) => text.replace(/\r\n|[\r\u2028\u2029\u0085]/g, "\n"),
  (text) => text.replace(/\p{Cs}/gu, "\ufffd"),
  (text) => text.replace(terminalEscape, ""),
  (text) => text.replace(/[\p{Cc}\u206a-\u206f\ufeff\ufff9-\ufffc]/gu, (c) => (isKept(c) ? c : "")),
];

/** A reference that ends in `;` and is HTML's, or a name of lower case that was written in capitals. */
function certainReference(reference: string): string {
  if (reference.startsWith("&#")) {
    const character = unescapeHtml(reference);
    return character.includes(";") ? reference : character;
  }
  const named = decodeHTMLStrict(reference);
  if (named !== reference) return named;
  const lower = reference.toLowerCase();
  const isCapitals = reference === reference.toUpperCase() && decodeHTML(reference) === reference;
  const character = isCapitals ? decodeHTMLStrict(lower) : lower;
  return character === lower ? reference : character.toUpperCase();
}

/** Python's `html.unescape`: HTML 5's rules, which need no `;` at the end. */
function unescapeHtml(text: string): string {
  if (!text.includes("&")) return text;
  return text.replace(
    /&(#[0-9]+;?|#[xX][0-9a-fA-F]+;?|[^\t\n\f <&#;]{1,32};?)/g,
    (reference, what: string) =>
      what.startsWith("#") ? characterOf(what.slice(1).replace(";", "")) : decodeHTML(reference),
  );
}

/** Of a decimal number, or one that `x` makes hexadecimal. */
function characterOf(digits: string): string {
  const code = /^x/i.test(digits) ? Number.parseInt(digits.slice(1), 16) : Number(digits);
  if (code === 0 || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) return "\ufffd";
  if (code >= 0x80 && code <= 0x9f) return windows1252[code - 0x80]!;
  const character = String.fromCodePoint(code);
  const isNone = /\p{Cc}|\p{Noncharacter_Code_Point}/u.test(character) && !isKept(character);
  return isNone ? "" : character;
}
