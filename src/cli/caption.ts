/** `openflamingo caption IMAGE…`: says what is in each image, as it is generated. */
import type { Command } from "commander";
import { shots } from "../api/shots.node.js";
import { forEachImage, withModel, writeAnswer } from "./command.js";
import { addOptions, type GenerationFlags, generationOptions, modelOptions } from "./options.js";

interface CaptionFlags extends GenerationFlags {
  readonly prompt?: string;
}

export function caption(program: Command): void {
  const command = program
    .command("caption")
    .summary("say what is in each image")
    .description("Says what is in each image.")
    .argument("<image...>", "image files")
    .option("--prompt <text>", "text between image and caption (default: Output:)");
  addOptions(command, generationOptions(), modelOptions())
    .addHelpText(
      "after",
      `
Shots: [{"image": "cats.jpg", "text": "two cats"}, …], paths relative to the file.

Examples:
  openflamingo caption photo.jpg
  openflamingo caption --shots shots.json --max-new-tokens 30 --beams 3 *.jpg
  openflamingo caption --json --log-probs photo.jpg`,
    )
    .action(async (images: readonly string[], { prompt, ...flags }: CaptionFlags) => {
      await withModel(flags, async (flamingo, terminal) => {
        const examples = flags.shots === undefined ? [] : await shots(flags.shots);
        return forEachImage(terminal, images, async (image) => {
          const asked = flamingo.captionPrompt(image, { shots: examples, prompt });
          const label = images.length > 1 ? image : undefined;
          await writeAnswer(terminal, flamingo, asked, flags, { image, label });
        });
      });
    });
}
