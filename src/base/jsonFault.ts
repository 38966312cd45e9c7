/** Finds where a text stops being JSON, and says what is wrong there: backends differ in what they report. */

/**
 * A message for text that `JSON.parse` rejects: `line 3, column 7: a comma before "}"`. Lines and columns count from 1.
 */
export function jsonFault(text: string): string {
  if (/^(\ufffd\ufffd|\0|.\0)/su.test(text)) return "it is UTF-16; only UTF-8 is read";
  if (text.trim() === "") return "it is empty";
  const scan = { text, at: 0 };
  const what = valueFault(scan) ?? afterValue(scan) ?? "it is not JSON";
  const before = text.slice(0, scan.at).split("\n");
  return `line ${before.length}, column ${before.at(-1)!.length + 1}: ${what}`;
}

/** The text and how far it is read. */
interface Scan {
  readonly text: string;
  at: number;
}

const endsEarly = "the text ends in the middle";

/** Passes over white space; the character that follows, "" at the end. */
function next(scan: Scan): string {
  while (" \t\r\n".includes(scan.text[scan.at] ?? "end")) scan.at++;
  return scan.text[scan.at] ?? "";
}

/** Passes over what the expression matches here; whether it does. */
function take(scan: Scan, expression: RegExp): boolean {
  expression.lastIndex = scan.at;
  const found = expression.exec(scan.text);
  if (found) scan.at += found[0].length;
  return found !== null;
}

const number = /-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?(?![\w.])/y;
const word = /(true|false|null)(?!\w)/y;
const escapes = /\\(?:["\\/bfnrt]|u[\dA-Fa-f]{4})/y;

/** Passes over a value; what is wrong in it. Nesting is limited by the caller (`parseJson`). */
function valueFault(scan: Scan): string | undefined {
  const c = next(scan);
  if (c === "{" || c === "[") return insideFault(scan, c);
  if (c === '"') return stringFault(scan);
  if (take(scan, number) || take(scan, word)) return undefined;
  if (c === "") return endsEarly;
  if (c === "'") return "strings stand in double quotes";
  if (c === "/") return "JSON has no comments";
  if (/[-\d.+]/.test(c)) return "no number that JSON knows";
  return /[\w]/.test(c) ? "a word that is no JSON value" : "a value is missing";
}

function stringFault(scan: Scan): string | undefined {
  for (scan.at++; scan.at < scan.text.length; ) {
    const c = scan.text[scan.at]!;
    if (c < " ") return "a control character in a string, where its escape is wanted";
    if (c === "\\" && !take(scan, escapes)) return "an escape that JSON does not know";
    else if (c !== "\\") scan.at++;
    if (c === '"') return undefined;
  }
  return endsEarly;
}

/** Passes over an object or a list. */
function insideFault(scan: Scan, open: string): string | undefined {
  const close = open === "{" ? "}" : "]";
  scan.at++;
  if (next(scan) === close) {
    scan.at++;
    return undefined;
  }
  for (;;) {
    if (open === "{") {
      const fault = nameFault(scan);
      if (fault !== undefined) return fault;
    }
    const fault = valueFault(scan);
    if (fault !== undefined) return fault;
    const c = next(scan);
    if (c === close) {
      scan.at++;
      return undefined;
    }
    if (c === "") return endsEarly;
    if (c !== ",") return `a comma or "${close}" is missing`;
    const at = scan.at++;
    if (next(scan) === close) {
      scan.at = at;
      return `a comma before "${close}"`;
    }
  }
}

/** Passes over a name and its colon. */
function nameFault(scan: Scan): string | undefined {
  const c = next(scan);
  if (c === "") return endsEarly;
  if (c === "/") return "JSON has no comments";
  if (c !== '"') return "a name in double quotes is missing";
  const fault = stringFault(scan);
  if (fault !== undefined) return fault;
  if (next(scan) !== ":") return scan.at < scan.text.length ? "a colon is missing" : endsEarly;
  scan.at++;
  return undefined;
}

function afterValue(scan: Scan): string | undefined {
  const c = next(scan);
  if (c === "") return undefined;
  const isValue = /[[{"\w-]/.test(c);
  return isValue ? "a second value (JSON Lines is not read here)" : "text after the value";
}
