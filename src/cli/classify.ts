/** `openflamingo classify IMAGE… --labels a,b,c`: says which label fits each image best. */
import { type Command, InvalidArgumentError } from "commander";
import { shots } from "../api/shots.node.js";
import { OpenFlamingoError } from "../base/errors.js";
import { forEachImage, withModel } from "./command.js";
import { addOptions, type ModelFlags, modelOptions, repeated, shotsOption } from "./options.js";

interface ClassifyFlags extends ModelFlags {
  readonly labels?: readonly string[];
  readonly label?: readonly string[];
  readonly prompt?: string;
  readonly shots?: string;
}

const commaSeparated = (text: string): readonly string[] => {
  const labels = text.split(",");
  if (labels.some((label) => label === "")) throw new InvalidArgumentError("A label is empty.");
  return labels;
};

export function classify(program: Command): void {
  const command = program
    .command("classify")
    .summary("say which label fits each image best")
    .description(
      "Says which label fits each image best, by log-likelihood. Labels are scored exactly as written.",
    )
    .argument("<image...>", "image files")
    .option("--labels <a,b,c>", "the labels", commaSeparated)
    .option("--label <text>", "one label, which may hold a comma; may be repeated", repeated)
    .option("--prompt <text>", "text between image and label (default: Output:)");
  addOptions(command, [shotsOption()], modelOptions())
    .addHelpText(
      "after",
      `
Shots: [{"image": "cats.jpg", "label": "cat"}, …], paths relative to the file.

Examples:
  openflamingo classify --labels cat,dog,bird *.jpg
  openflamingo classify --json --label "a cup of tea" --label "bread, cheese" photo.jpg`,
    )
    .action(async (images: readonly string[], { prompt, ...flags }: ClassifyFlags) => {
      await withModel(flags, async (flamingo, terminal) => {
        const labels = [...(flags.labels ?? []), ...(flags.label ?? [])];
        if (labels.length === 0) {
          throw new OpenFlamingoError("usage", "classify: no label given", { hint: "--labels cat,dog" });
        }
        const examples = flags.shots === undefined ? [] : await shots(flags.shots, "classify");
        const { signal } = terminal;
        return forEachImage(terminal, images, async (image) => {
          const found = await flamingo.classify(image, labels, { shots: examples, prompt, signal });
          if (terminal.json) terminal.line(JSON.stringify({ image, ...found }));
          else terminal.line(images.length > 1 ? `${image}: ${found.label}` : found.label);
        });
      });
    });
}
