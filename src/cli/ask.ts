/** `openflamingo ask IMAGE QUESTION`: answers a question about an image. */
import type { Command } from "commander";
import { readShots } from "../api/shots.node.js";
import { withModel, writeAnswer } from "./command.js";
import { imageInputs } from "./inputs.js";
import { addOptions, type GenerationFlags, generationOptions, modelOptions } from "./options.js";

export function ask(program: Command): void {
  const command = program
    .command("ask")
    .summary("answer a question about an image")
    .description("Answers a question about an image.")
    .argument("<image>", "an image file, or - for standard input")
    .argument("<question>", "the question");
  addOptions(command, generationOptions(), modelOptions())
    .addHelpText(
      "after",
      `
Shots: [{"image": "cats.jpg", "question": "How many cats?", "answer": "two"}, …], paths relative to the file.

Examples:
  openflamingo ask photo.jpg "What is on the table?"
  openflamingo ask --shots shots.json --max-new-tokens 5 photo.jpg "How many people are there?"`,
    )
    .action(async (image: string, question: string, flags: GenerationFlags) => {
      await withModel(flags, async () => {
        const [input] = await imageInputs([image]);
        const examples = flags.shots === undefined ? [] : await readShots(flags.shots, "ask");
        return async (flamingo, terminal) => {
          const asked = flamingo.askPrompt(input!.source(), question, { shots: examples });
          await writeAnswer(terminal, flamingo, asked, flags, { image: input!.name });
          return 0;
        };
      });
    });
}
