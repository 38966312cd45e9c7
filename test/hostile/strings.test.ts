/**
 * Characters that steer a terminal, in every string and every key of every JSON file of a model: no message, hint,
 * cause or notice holds them as they are.
 */
import { afterAll, expect, test } from "vitest";
import { OpenFlamingoError } from "../../src/base/errors.js";
import { escaped } from "../../src/base/quoted.js";
import { createTerminal } from "../../src/cli/terminal.js";
import { randomOf } from "../fuzz/kind.js";
import { changeableModel, nameOf } from "./configurations.js";

const every = process.env.OPENFLAMINGO_EVERY === "1";

/** Escape, C1, bidirectional, line break, DEL, a lone surrogate, a tag, an invisible separator. */
const hostile = "\u001b[2J\u009b31m\u202egpj.\u2066\n\r\u007f\ud800\u{e0041}\u2028\u200f";
const steers = /(?![\n\u200c\u200d])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u;

const model = changeableModel("tiny-openflamingo-9b");
afterAll(() => model.close());

/** All texts of an error that may be printed, its causes' too. */
function textsOf(error: unknown): string[] {
  if (!(error instanceof Error)) return [];
  const hint = error instanceof OpenFlamingoError ? [error.hint] : [];
  return [error.message, ...hint, ...textsOf(error.cause)];
}

test("strings of files are shown escaped, or not at all", {
  timeout: every ? 3_600_000 : 120_000,
}, async () => {
  const all = model.changes((value) => typeof value === "string", [hostile, `x${hostile}`]);
  const random = randomOf("strings", 1, 0);
  const isLarge = (file: string) => file.endsWith("tokenizer.json") || file.endsWith("index.json");
  const sample = all.filter(({ file }) => every || !isLarge(file) || random.once(40));
  const keys = model.files.flatMap((file) => {
    const { value } = model.noChange(file);
    return [{ file, path: [], value: { ...(value as object), [hostile]: hostile } }];
  });
  let [rejected, accepted] = [0, 0];
  for (const change of [...sample, ...keys]) {
    const { error, notices } = await model.outcomeOf(change as never);
    if (error === undefined) accepted++;
    else rejected++;
    if (error !== undefined) expect(error, nameOf(change as never)).toBeInstanceOf(OpenFlamingoError);
    for (const text of [...textsOf(error), ...notices]) {
      expect(text, nameOf(change as never)).not.toMatch(steers);
      expect(text, "line breaks are our own").not.toMatch(/\n\\u000d/);
      expect(text.length).toBeLessThan(2000);
    }
  }
  console.log(`${rejected} rejected, ${accepted} accepted`);
  expect(rejected).toBeGreaterThan(20);
  expect(accepted).toBeGreaterThan(10);
});

test("the command line's notices are escaped too", () => {
  const written: string[] = [];
  const write = process.stderr.write;
  process.stderr.write = ((text: string) => written.push(text) > 0) as never;
  try {
    const terminal = createTerminal({ json: false, quiet: false });
    terminal.notice(`note: ${escaped(hostile)} is untrained`);
    terminal.notice(`note: ${hostile} is untrained`);
    terminal.error(new OpenFlamingoError("model-invalid", hostile, { hint: hostile }));
  } finally {
    process.stderr.write = write;
  }
  expect(written).toHaveLength(3);
  for (const text of written) expect(text).not.toMatch(steers);
  expect(written[0]!.match(/\n/g), "one line").toHaveLength(1);
});
