/** `openflamingo embed IMAGE…`, `openflamingo embed --text TEXT`: CLIP's features, a line of JSON each. */
import type { Command } from "commander";
import { OpenFlamingoError } from "../base/errors.js";
import { requireWritable } from "../base/wholeFile.node.js";
import { writeSafetensors } from "../checkpoints/writeSafetensors.node.js";
import { forEachImage, withModel } from "./command.js";
import { imageInputs } from "./inputs.js";
import { addOptions, imagesArgument, type ModelFlags, modelOptions, repeated } from "./options.js";

interface EmbedFlags extends ModelFlags {
  readonly text?: readonly string[];
  readonly unitLength?: true;
  readonly output?: string;
}

export function embed(program: Command): void {
  const command = program
    .command("embed")
    .summary("write images and texts as vectors")
    .description(
      "Writes images and texts as CLIP's vectors, in a space that the two share: a line of JSON each.",
    )
    .argument("[image...]", imagesArgument)
    .option("--text <text>", "a text; may be repeated", repeated)
    .option("--output <file>", "write all vectors to a safetensors file in place of lines")
    .option("--unit-length", "divide each vector by its length, so that products are cosines");
  addOptions(command, modelOptions())
    .addHelpText(
      "after",
      `
Lines: {"image": path, "features": [numbers]} or {"text": text, "features": [numbers]}, images first.
With --json, errors are JSON too. A file has one tensor, "features", a row each, and in its metadata "names", a JSON
list of paths and texts.
Texts need CLIP's tokenizer.json beside the model's open_clip_config.json; of a released model it is fetched.

Examples:
  openflamingo embed *.jpg
  openflamingo embed --output features.safetensors *.jpg
  openflamingo embed --unit-length --text "a photo of a cat" --text "a photo of a dog" photo.jpg`,
    )
    .action(
      async (images: readonly string[], { text: texts = [], unitLength, output, ...flags }: EmbedFlags) => {
        await withModel(flags, async () => {
          if (images.length + texts.length === 0) {
            throw new OpenFlamingoError("usage", "embed: no image and no text given", {
              hint: 'openflamingo embed photo.jpg, or --text "a cat"',
            });
          }
          if (output !== undefined) await requireWritable(output);
          const inputs = await imageInputs(images);
          return async (flamingo, terminal) => {
            const { signal } = terminal;
            const rows: Row[] = [];
            const take = (what: { image: string } | { text: string }, found: Float32Array) => {
              const features = unitLength ? ofLengthOne(found) : found;
              if (output === undefined) {
                terminal.line(JSON.stringify({ ...what, features: Array.from(features, shortest) }));
              } else rows.push({ name: "image" in what ? what.image : what.text, features });
            };
            // Texts first, though they come last: what is wrong with them should not cost the images' work.
            const ofTexts = texts.length > 0 ? await flamingo.embed({ texts }, { signal }) : [];
            const code = await forEachImage(terminal, inputs, async ({ name, source }) => {
              const [found] = await flamingo.embed({ images: [source()] }, { signal });
              take({ image: name }, found!);
            });
            for (const [i, text] of texts.entries()) take({ text }, ofTexts[i]!);
            if (output !== undefined && rows.length > 0) await writeRows(output, rows);
            return code;
          };
        });
      },
    );
}

interface Row {
  readonly name: string;
  readonly features: Float32Array;
}

async function writeRows(file: string, rows: readonly Row[]): Promise<void> {
  const width = rows[0]!.features.length;
  const data = new Float32Array(rows.length * width);
  for (const [i, { features }] of rows.entries()) data.set(features, i * width);
  const names = JSON.stringify(rows.map(({ name }) => name));
  await writeSafetensors(file, new Map([["features", { shape: [rows.length, width], data }]]), { names });
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
