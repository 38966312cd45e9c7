/** The command line: one command a file. What stands here is help, version and wrong usage. */
import { createRequire } from "node:module";
import { Command, CommanderError } from "commander";
import { ask } from "./ask.js";
import { bench } from "./bench.js";
import { caption } from "./caption.js";
import { classify } from "./classify.js";
import { data } from "./data.js";
import { doctor } from "./doctor.js";
import { download } from "./download.js";
import { embed } from "./embed.js";
import { exitCodes } from "./exitCodes.js";
import { generate } from "./generate.js";
import { models } from "./models.js";
import { prepare } from "./prepare.js";
import { train } from "./train.js";

const { version } = createRequire(import.meta.url)("../../package.json") as { version: string };

const wantsJson = process.argv.includes("--json");

const program = new Command("openflamingo")
  .description("Few-shot vision-language models: images and text in, text out.")
  .version(version)
  .showHelpAfterError("(--help shows more)")
  .exitOverride()
  // Under --json an error is an object, written below. Commands inherit what is set before they are made.
  .configureOutput(wantsJson ? { writeErr: () => {} } : {})
  .addHelpText(
    "after",
    `
Examples:
  openflamingo caption photo.jpg
  openflamingo ask photo.jpg "What is on the table?"
  openflamingo classify --labels cat,dog photo.jpg
  openflamingo generate --image photo.jpg --prompt "<image>An image of"
  openflamingo embed photo.jpg
  openflamingo download openflamingo/OpenFlamingo-3B-vitl-mpt1b
  openflamingo prepare my-model --weights int4
  openflamingo data pack --captions captions.csv --images photos --output shards
  openflamingo train --images photos --captions captions.csv --run my-run
  openflamingo doctor

Exit codes: 0 done, 1 failed inside, 2 wrong usage, 3 bad input file, 4 bad model, 5 network, 6 no memory or disk,
130 interrupted.`,
  );
for (const addCommand of [
  caption,
  ask,
  classify,
  generate,
  embed,
  download,
  models,
  prepare,
  data,
  train,
  doctor,
  bench,
]) {
  addCommand(program);
}

// The flag may be given a value by `=` alone: it must not take the file name that follows it for one.
const args = process.argv.map((arg) => (arg === "--early-stopping" ? "--early-stopping=true" : arg));
try {
  await program.parseAsync(args);
} catch (error) {
  if (!(error instanceof CommanderError)) throw error;
  // Help and version end by an "error" of code 0; help for want of a command is wrong usage.
  process.exitCode = error.exitCode === 0 ? 0 : exitCodes.usage;
  if (error.exitCode !== 0 && wantsJson) {
    const message = error.message.replace(/^error: /, "");
    const hint = "openflamingo --help";
    process.stderr.write(`${JSON.stringify({ error: { code: "usage", message, hint } })}\n`);
  }
}
