/**
 * Every message of the program is read: those that the tests brought about, when they are done, and where none did, the
 * place in the source that would make one. A message says what is wrong and where, its hint what to do, and neither
 * has a hole, a stack or code in it.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** The environment variable that names the file of the notes: see `messages.setup.ts`. */
export const messagesVariable = "OPENFLAMINGO_MESSAGES";

export interface Message {
  readonly code: string;
  readonly message: string;
  readonly hint: string;
  /** The places in `src/` through which it came, innermost first: `src/text/bpe.ts:12`. */
  readonly places: readonly string[];
}

/** What is wrong with a message or hint; undefined: nothing. */
export function faultOf({ message, hint }: Pick<Message, "message" | "hint">): string | undefined {
  const holes = /\bundefined\b|\[object |\bfunction ?\(|=>|\$\{|: *$/;
  if (typeof hint !== "string" || hint.trim() === "") return "no hint";
  if (/\n\s+at |node:internal|\bfile:\/\/\/.*:\d+:\d+/.test(message + hint)) return "a stack";
  if (holes.test(message)) return "a hole in the message";
  if (holes.test(hint.replace(/`[^`]*`|\w+\([^)]*\)/g, "code"))) return "a hole in the hint";
  if (message.split(/\s+/).length < 3) return "fewer than three words";
  const unquoted = message.replace(/"[^"]*"/g, "it").replaceAll("\n  ", " ");
  if (message.trim() !== message || /\s{3}/.test(unquoted)) return "strange spaces";
  if (hint === message) return "a hint that says no more than the message";
  return undefined;
}

/** Places that need more than a test of this process to make an error. */
const elsewhere: Readonly<Record<string, string>> = {
  "src/cli/": "read by the tests of the command line, which is a process of its own",
};
const isElsewhere = (place: string) => Object.keys(elsewhere).some((start) => place.startsWith(start));

const root = fileURLToPath(new URL("..", import.meta.url));

/** The places of `src/` that make an error themselves. */
function makers(): string[] {
  return readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts") && name !== join("base", "errors.ts"))
    .flatMap((name) =>
      readFileSync(join(root, "src", name), "utf8")
        .split("\n")
        .flatMap((line, i) =>
          /new OpenFlamingoError\(/.test(line) ? [`src/${name.replaceAll("\\", "/")}:${i + 1}`] : [],
        ),
    );
}

/** Vitest's global setup: a file for the notes, and the reading at the end. */
export function setup(): () => void {
  const folder = mkdtempSync(join(tmpdir(), "openflamingo-messages-"));
  const file = join(folder, "messages.jsonl");
  writeFileSync(file, "");
  process.env[messagesVariable] = file;
  return () => {
    const messages = readFileSync(file, "utf8")
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line) as Message);
    rmSync(folder, { recursive: true });
    const faults = new Set(
      messages.flatMap((each) => {
        const fault = faultOf(each);
        return fault === undefined
          ? []
          : [`${each.places[0]}: ${fault}: ${each.code}: ${each.message} | ${each.hint}`];
      }),
    );
    const reached = new Set(messages.flatMap(({ places }) => places));
    const all = makers();
    const silent = all.filter((place) => !reached.has(place));
    const distinct = new Set(messages.map(({ message }) => message)).size;
    console.log(`${distinct} messages read, from ${all.length - silent.length} of ${all.length} places`);
    // Only a run of all tests can bring all of them about.
    if (process.argv.slice(2).join(" ") === "run") {
      for (const place of silent.filter((each) => !isElsewhere(each)))
        faults.add(`${place}: no test brings it about`);
      for (const [start, why] of Object.entries(elsewhere)) {
        const count = silent.filter((place) => place.startsWith(start)).length;
        if (count > 0) console.log(`not read: ${count} of ${start}…: ${why}`);
      }
    }
    if (faults.size === 0) return;
    console.error(`messages that do not say enough:\n  ${[...faults].join("\n  ")}`);
    process.exitCode = 1;
  };
}
