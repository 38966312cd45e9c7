/** `openflamingo caption IMAGE…`: says what is in each picture, as it is generated. */
import type { Command } from "commander";
import { shots } from "../api/shots.node.js";
import { exitCodes, OpenFlamingoError } from "../base/errors.js";
import { withModel, writeAnswer } from "./command.js";
import { addOptions, type GenerationFlags, generation, generationOptions, modelOptions } from "./options.js";

interface CaptionFlags extends GenerationFlags {
  readonly prompt?: string;
}

export function caption(program: Command): void {
  const command = program
    .command("caption")
    .summary("say what is in each picture")
    .description("Says what is in each picture.")
    .argument("<image...>", "picture files")
    .option("--prompt <text>", "what stands between picture and caption (default: Output:)");
  addOptions(command, generationOptions(), modelOptions())
    .addHelpText(
      "after",
      `
Shots: [{"image": "cats.jpg", "text": "two cats"}, …], paths relative to the file.

Examples:
  openflamingo caption photo.jpg
  openflamingo caption --shots shots.json --max-new-tokens 30 *.jpg
  openflamingo caption --json --log-probs photo.jpg`,
    )
    .action(async (images: readonly string[], flags: CaptionFlags) => {
      await withModel(flags, async (flamingo, terminal) => {
        const examples = flags.shots === undefined ? undefined : await shots(flags.shots);
        let code = 0;
        for (const image of images) {
          try {
            const prompt = flamingo.captionPrompt(image, { shots: examples, prompt: flags.prompt });
            const pieces = flamingo.stream(prompt, { ...generation(flags), signal: terminal.signal });
            const label = images.length > 1 ? image : undefined;
            await writeAnswer(terminal, pieces, { image, label, logProbs: flags.logProbs });
          } catch (error) {
            // A picture that cannot be read does not keep the others from their captions.
            const ofPicture = error instanceof OpenFlamingoError && exitCodes[error.code] === 3;
            if (!ofPicture) throw error;
            code = terminal.error(error);
          }
        }
        return code;
      });
    });
}
