/** `openflamingo classify IMAGE… --labels a,b,c`: says which label fits each image best. */
import { type Command, InvalidArgumentError } from "commander";
import type { Classification, Flamingo } from "../api/flamingo.js";
import { readShots } from "../api/shots.node.js";
import { OpenFlamingoError } from "../base/errors.js";
import { forEachImage, withModel } from "./command.js";
import { imageInputs } from "./inputs.js";
import {
  addOptions,
  imagesArgument,
  type ModelFlags,
  modelOptions,
  repeated,
  shotsOption,
} from "./options.js";

interface ClassifyFlags extends ModelFlags {
  readonly labels?: readonly string[];
  readonly label?: readonly string[];
  readonly prompt?: string;
  readonly shots?: string;
}

const commaSeparated = (text: string): readonly string[] => {
  const labels = text.split(",").map((label) => label.trim());
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
    .argument("<image...>", imagesArgument)
    .option("--labels <a,b,c>", "the labels; spaces around them do not count", commaSeparated)
    .option("--label <text>", "one label, exactly as written; may be repeated", repeated)
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
      await withModel(flags, async () => {
        const labels = [...(flags.labels ?? []), ...(flags.label ?? [])];
        if (labels.length === 0) {
          throw new OpenFlamingoError("usage", "classify: no label given", { hint: "--labels cat,dog" });
        }
        const inputs = await imageInputs(images);
        const examples = flags.shots === undefined ? [] : await readShots(flags.shots, "classify");
        return (flamingo, terminal) =>
          forEachImage(terminal, inputs, async ({ name, source }) => {
            const options = { shots: examples, prompt, signal: terminal.signal };
            const found = await flamingo.classify(source(), labels, options);
            if (terminal.json) terminal.line(jsonOf(flamingo, name, found));
            else terminal.line(inputs.length > 1 ? `${name}: ${found[0]!.label}` : found[0]!.label);
          });
      });
    });
}

/** Contract: "`--json`". Written by hand, as objects put labels such as "10" before all others. */
function jsonOf({ trained }: Flamingo, image: string, found: readonly Classification[]): string {
  const label = JSON.stringify(found[0]!.label);
  const each = new Map(found.map(({ label, logProb }) => [label, logProb]));
  const logProbs = [...each].map(([name, logProb]) => `${JSON.stringify(name)}:${logProb}`);
  const fields = [
    `"image":${JSON.stringify(image)}`,
    `"label":${label}`,
    `"logProbs":{${logProbs}}`,
    '"normalized":true',
    ...(trained ? [] : ['"trained":false']),
  ];
  return `{${fields}}`;
}
