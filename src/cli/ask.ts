/** `openflamingo ask IMAGE QUESTION`: answers a question about an image. */
import type { Command } from "commander";
import { askPrompt } from "../api/prompt.js";
import { shots } from "../api/shots.node.js";
import { withModel, writeAnswer } from "./command.js";
import { addOptions, type GenerationFlags, generationOptions, modelOptions } from "./options.js";

export function ask(program: Command): void {
  const command = program
    .command("ask")
    .summary("answer a question about an image")
    .description("Answers a question about an image.")
    .argument("<image>", "an image file")
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
      await withModel(flags, async (flamingo, terminal) => {
        const examples = flags.shots === undefined ? [] : await shots(flags.shots, "ask");
        await writeAnswer(terminal, flamingo, askPrompt(image, question, { shots: examples }), flags, {
          image,
        });
        return 0;
      });
    });
}
