/** `openflamingo prepare MODEL`: a model's weights in a format that is small, and opened without a conversion. */
import { type Command, InvalidArgumentError, Option } from "commander";
import { prepare as prepareModel } from "../api/prepare.node.js";
import { type WeightFormat, weightFormats } from "../runner/weightFormats.js";
import { addOptions } from "./options.js";
import { createTerminal } from "./terminal.js";

interface PrepareFlags {
  readonly weights: WeightFormat;
  readonly block: number;
  readonly output?: string;
  readonly json?: true;
  readonly quiet?: true;
}

const blockOf = (text: string): number => {
  const block = Number(text);
  if ([16, 32, 64, 128, 256].includes(block)) return block;
  throw new InvalidArgumentError("Not 16, 32, 64, 128 or 256.");
};

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
  openflamingo caption --model my-model-int4 photo.jpg`,
    )
    .action(async (model: string, { weights, block, output, json, quiet }: PrepareFlags) => {
      const terminal = createTerminal({ json: json ?? false, quiet: quiet ?? false });
      try {
        const made = await prepareModel(model, output, {
          ...{ weights, block, signal: terminal.signal },
          onProgress: terminal.bytes,
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
