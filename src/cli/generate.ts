/** `openflamingo generate --prompt TEXT --image FILE…`: continues a prompt of images and texts. */
import type { Command } from "commander";
import { templatePrompt } from "../api/prompt.js";
import { readShots } from "../api/shots.node.js";
import { withModel, writeAnswer } from "./command.js";
import { imageInputs } from "./inputs.js";
import { addOptions, type GenerationFlags, generationOptions, modelOptions, repeated } from "./options.js";

interface GenerateFlags extends GenerationFlags {
  readonly prompt: string;
  readonly image?: readonly string[];
}

export function generate(program: Command): void {
  const command = program
    .command("generate")
    .summary("continue a prompt of images and texts")
    .description("Continues a prompt of images and texts.")
    .requiredOption("--prompt <text>", "the whole prompt, with <image> where an image stands")
    .option("--image <file>", "an image; once for each <image>, in order", repeated);
  addOptions(command, generationOptions(), modelOptions())
    .addHelpText(
      "after",
      `
Shots: [{"image": "cats.jpg", "text": "An image of two cats."}, …], written before the prompt.

Examples:
  openflamingo generate --image photo.jpg --prompt "<image>An image of"
  openflamingo generate --image a.jpg --image b.jpg \\
    --prompt "<image>An image of two cats.<|endofchunk|><image>An image of"`,
    )
    .action(async ({ prompt: template, image: images = [], ...flags }: GenerateFlags) => {
      await withModel(flags, async () => {
        const inputs = await imageInputs(images);
        const examples = flags.shots === undefined ? [] : await readShots(flags.shots);
        const sources = inputs.map(({ source }) => source());
        const names = inputs.map(({ name }) => name);
        const prompt = templatePrompt(template, sources, { shots: examples });
        return async (flamingo, terminal) => {
          const image = names.length === 1 ? names[0]! : names;
          await writeAnswer(terminal, flamingo, prompt, flags, { image });
          return 0;
        };
      });
    });
}
