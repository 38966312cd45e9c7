/** `openflamingo embed IMAGE…`, `openflamingo embed --text TEXT`: CLIP's features, a line of JSON each. */
import type { Command } from "commander";
import { OpenFlamingoError } from "../base/errors.js";
import { forEachPicture, withModel } from "./command.js";
import { addOptions, type ModelFlags, modelOptions, repeated } from "./options.js";

interface EmbedFlags extends ModelFlags {
  readonly text?: readonly string[];
  readonly normalize?: true;
}

export function embed(program: Command): void {
  const command = program
    .command("embed")
    .summary("write pictures and texts as vectors")
    .description(
      "Writes pictures and texts as CLIP's vectors, in a space that the two share: a line of JSON each.",
    )
    .argument("[image...]", "picture files")
    .option("--text <text>", "a text; may be repeated", repeated)
    .option("--normalize", "divide each vector by its length, so that products are cosines");
  addOptions(command, modelOptions())
    .addHelpText(
      "after",
      `
Lines: {"image": path, "features": [numbers]} or {"text": text, "features": [numbers]}, pictures first.
With --json, errors are JSON too.
Texts need CLIP's tokenizer.json beside the model's open_clip_config.json.

Examples:
  openflamingo embed *.jpg
  openflamingo embed --normalize --text "a photo of a cat" --text "a photo of a dog" photo.jpg`,
    )
    .action(async (images: readonly string[], { text: texts = [], normalize, ...flags }: EmbedFlags) => {
      await withModel(flags, async (flamingo, terminal) => {
        if (images.length + texts.length === 0) {
          throw new OpenFlamingoError("usage", "embed: no picture and no text given", {
            hint: 'openflamingo embed photo.jpg, or --text "a cat"',
          });
        }
        const { signal } = terminal;
        const write = (what: { image: string } | { text: string }, [features]: readonly Float32Array[]) => {
          const shown = normalize ? ofLengthOne(features!) : features!;
          terminal.line(JSON.stringify({ ...what, features: Array.from(shown, shortest) }));
        };
        const code = await forEachPicture(terminal, images, async (image) => {
          write({ image }, await flamingo.embed({ images: [image] }, { signal }));
        });
        for (const text of texts) write({ text }, await flamingo.embed({ texts: [text] }, { signal }));
        return code;
      });
    });
}

function ofLengthOne(features: Float32Array): Float32Array {
  const length = Math.hypot(...features);
  return features.map((value) => value / length);
}

/**
 * The number with the fewest digits that is the same float32: 0.1 where JSON would write 0.10000000149011612. Six
 * digits or fewer always come back, nine are always enough.
 */
function shortest(value: number): number {
  for (const digits of [6, 7, 8]) {
    const shorter = Number(value.toPrecision(digits));
    if (Math.fround(shorter) === value) return shorter;
  }
  return Number(value.toPrecision(9));
}
