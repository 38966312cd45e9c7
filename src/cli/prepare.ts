/** `openflamingo prepare MODEL`: a model's weights in a format that is small, and opened without a conversion. */
import { type Command, InvalidArgumentError, Option } from "commander";
import { prepare as prepareModel } from "../api/prepare.node.js";
import { readShots } from "../api/shots.node.js";
import { type KeptFormat, type WeightFormat, weightFormats } from "../runner/weightFormats.js";
import { addOptions } from "./options.js";
import { createTerminal } from "./terminal.js";

interface PrepareFlags {
  readonly weights: WeightFormat;
  readonly block: number;
  readonly keep?: Readonly<Record<string, KeptFormat>>;
  readonly calibrate?: string;
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
    new Option("--block <n>", "how many numbers share a scale; fewer are more exact, and slower")
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

Examples:
  openflamingo prepare openflamingo/OpenFlamingo-9B-vitl-mpt7b
  openflamingo caption --model openflamingo/OpenFlamingo-9B-vitl-mpt7b photo.jpg
  openflamingo prepare my-model --weights int4 --block 32 --output my-model-small
  openflamingo prepare my-model --calibrate photos.json --keep wte=int8
  openflamingo caption --model my-model-int4 photo.jpg`,
    )
    .action(async (model: string, { calibrate, output, json, quiet, ...how }: PrepareFlags) => {
      const terminal = createTerminal({ json: json ?? false, quiet: quiet ?? false });
      try {
        const made = await prepareModel(model, output, {
          ...how,
          ...(calibrate !== undefined && { calibrate: await readShots(calibrate) }),
          signal: terminal.signal,
          onProgress: (done, total, what) =>
            what === "calibrating" ? terminal.progress(what, done, total) : terminal.bytes(done, total, what),
          onNotice: terminal.notice,
        });
        const errors = Object.fromEntries(made.errors);
        terminal.line(json ? JSON.stringify({ ...made, errors }) : made.folder);
        process.exitCode = terminal.stopped() ?? 0;
      } catch (error) {
        process.exitCode = terminal.error(error);
      }
    });
}
