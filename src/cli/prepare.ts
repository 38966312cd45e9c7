/** `openflamingo prepare MODEL`: a model's weights in a format that is small, and opened without a conversion. */
import { type Command, InvalidArgumentError, Option } from "commander";
import { prepare as prepareModel } from "../api/prepare.node.js";
import { reportQuality } from "../api/reportQuality.node.js";
import { readShots } from "../api/shots.node.js";
import { type KeptFormat, type WeightFormat, weightFormats } from "../weights/weightFormats.js";
import { addOptions } from "./options.js";
import { jsonOfReport, shownReport } from "./report.js";
import { createTerminal } from "./terminal.js";

interface PrepareFlags {
  readonly weights: WeightFormat;
  readonly block: number;
  readonly keep?: Readonly<Record<string, KeptFormat>>;
  readonly calibrate?: string;
  readonly report?: string;
  readonly output?: string;
  readonly json?: true;
  readonly quiet?: true;
}

const blockOf = (text: string): number => {
  const block = Number(text);
  if ([16, 32, 64, 128, 256].includes(block)) return block;
  throw new InvalidArgumentError("Not 16, 32, 64, 128 or 256.");
};

function kept(
  text: string,
  before: Readonly<Record<string, KeptFormat>> = {},
): Readonly<Record<string, KeptFormat>> {
  const [, name, format] = /^(.+)=(int8|fp32)$/.exec(text) ?? [];
  if (!name) throw new InvalidArgumentError("Not a part of a name with =int8 or =fp32.");
  return { ...before, [name]: format as KeptFormat };
}

export function prepare(program: Command): void {
  const command = program
    .command("prepare")
    .summary("write a model's weights in a smaller format")
    .description(
      "Writes a folder with a model's weights in a smaller format, which is opened without a conversion.",
    )
    .argument("<model>", "a model's folder, with its checkpoints, or a released model's name");
  addOptions(command, [
    new Option("--weights <format>", "the format").choices(weightFormats).default("int4"),
    new Option("--block <n>", "how many numbers share a scale, 16 to 256; fewer are more exact, and slower")
      .argParser(blockOf)
      .default(128),
    new Option(
      "--keep <name=format>",
      "keep tensors with this in their names in int8 or fp32; may be repeated",
    ).argParser(kept),
    new Option(
      "--calibrate <file>",
      "with int4: read these images with texts first, a JSON list as of --shots, to find out which weights count most",
    ),
    new Option(
      "--report <file>",
      "write nothing, and say what all formats cost in quality on these images with texts, a JSON list as of --shots",
    ).conflicts("output"),
    new Option(
      "--output <folder>",
      "the folder to write (default: of a folder, beside it, with the format's name; of a name, where --model finds it)",
    ),
    new Option("--json", "one JSON object a line"),
    new Option("--quiet", "no progress and no notices"),
  ])
    .addHelpText(
      "after",
      `
Of a released model, what is missing in the hub's cache folder is fetched first: see download.
Interrupted, it goes on where it was when it is begun again. The folder is there when it is whole.
With --json: {"folder": path, "bytes": of the weights, "errors": {matrix: error of a product, relative to its size}}.
With --report: the errors of products with random numbers, relative to their size, and with --calibrate also with columns
as strong as in its images and texts; and, on the texts, the loss, the divergence (Kullback-Leibler) of the probabilities of
tokens, and greedy answers and their tokens that are others, all beside float32 or the most exact format that fits in
memory. --calibrate and --report should not name the same file. With --json: {"reference": format, "samples": texts,
"tokens": of its answers, "formats": [{"name", "loss", "divergence", "changedAnswers", "changedTokens",
"errors": {matrix: error}, "weightedErrors": {matrix: error}}], "tooLarge": [{"name", "needed": bytes}]}.

Examples:
  openflamingo prepare openflamingo/OpenFlamingo-9B-vitl-mpt7b
  openflamingo caption --model openflamingo/OpenFlamingo-9B-vitl-mpt7b photo.jpg
  openflamingo prepare my-model --weights int4 --block 32 --output my-model-small
  openflamingo prepare my-model --calibrate photos.json --keep wte=int8
  openflamingo prepare my-model --report other-photos.json --calibrate photos.json
  openflamingo caption --model my-model-int4 photo.jpg`,
    )
    .action(async (model: string, { calibrate, report, output, json, quiet, ...flags }: PrepareFlags) => {
      const terminal = createTerminal({ json: json ?? false, quiet: quiet ?? false });
      try {
        const how = {
          ...(flags.keep && { keep: flags.keep }),
          ...(calibrate !== undefined && { calibrate: await readShots(calibrate) }),
          ...{ signal: terminal.signal, onNotice: terminal.notice },
          onProgress: (done: number, total: number, what: string) =>
            what === "calibrating" ? terminal.progress(what, done, total) : terminal.bytes(done, total, what),
        };
        if (report !== undefined) {
          const found = await reportQuality(model, await readShots(report), how);
          terminal.line(json ? JSON.stringify(jsonOfReport(found)) : shownReport(found));
        } else {
          const { weights, block } = flags;
          const made = await prepareModel(model, output, { ...how, weights, block });
          const errors = Object.fromEntries(made.errors);
          terminal.line(json ? JSON.stringify({ ...made, errors }) : made.folder);
        }
        process.exitCode = terminal.stopped() ?? 0;
      } catch (error) {
        process.exitCode = terminal.error(error);
      }
    });
}
