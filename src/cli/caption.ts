/** `openflamingo caption IMAGE…`: says what is in each image, as it is generated. */
import type { Command } from "commander";
import { readShots } from "../api/shots.node.js";
import { forEachImage, withModel, writeAnswer } from "./command.js";
import { imageInputs } from "./inputs.js";
import {
  addOptions,
  type GenerationFlags,
  generationOptions,
  imagesArgument,
  modelOptions,
} from "./options.js";

interface CaptionFlags extends GenerationFlags {
  readonly prompt?: string;
}

export function caption(program: Command): void {
  const command = program
    .command("caption")
    .summary("say what is in each image")
    .description("Says what is in each image.")
    .argument("<image...>", imagesArgument)
    .option("--prompt <text>", "text between image and caption (default: Output:)");
  addOptions(command, generationOptions(), modelOptions())
    .addHelpText(
      "after",
      `
Shots: [{"image": "cats.jpg", "text": "two cats"}, …], paths relative to the file.

Examples:
  openflamingo caption photo.jpg
  openflamingo caption folder/ more/*.jpg
  curl -s https://example.org/photo.jpg | openflamingo caption -
  openflamingo caption --shots shots.json --max-new-tokens 30 --beams 3 *.jpg
  openflamingo caption --json --log-probs photo.jpg`,
    )
    .action(async (images: readonly string[], { prompt, ...flags }: CaptionFlags) => {
      await withModel(flags, async () => {
        const inputs = await imageInputs(images);
        const examples = flags.shots === undefined ? [] : await readShots(flags.shots);
        return (flamingo, terminal) =>
          forEachImage(terminal, inputs, async ({ name, source }) => {
            const asked = flamingo.captionPrompt(source(), { shots: examples, prompt });
            const label = inputs.length > 1 ? name : undefined;
            await writeAnswer(terminal, flamingo, asked, flags, { image: name, label });
          });
      });
    });
}
