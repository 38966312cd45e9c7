/**
 * What does each format of the weights cost in quality? For a model and images with texts: the error of a product with
 * each matrix, the loss on the texts, and the greedy answers, beside float32. Every format is made in memory, one after
 * the other: the model must fit as float32.
 *
 *     npx tsx bench/quality.ts MODEL SHOTS.json [--layers]
 *     npx tsx bench/quality.ts ../shared/goldens/tiny-openflamingo-9b
 *
 * `SHOTS.json` is a list of `{image, text}`, as `--shots` reads it. Without it, the greedy prompts and answers of the
 * folder's own golden values are taken. `--layers` prints the error of every matrix.
 */
import { basename } from "node:path";
import { parseArgs } from "node:util";
import { readConfigs } from "../src/api/configs.js";
import { checkpointOpener, imageReader } from "../src/api/load.js";
import { node } from "../src/api/platform.node.js";
import { captionPrompt, contentOf, idsOf } from "../src/api/prompt.js";
import { readShots } from "../src/api/shots.node.js";
import { withClosing } from "../src/base/dispose.js";
import { readModelFolder, requireCheckpoints } from "../src/checkpoints/modelFolder.node.js";
import { productError } from "../src/prepare/checkProducts.js";
import { openModelRunner, programsOf } from "../src/runner/modelRunner.js";
import { eachTensor, findWeights } from "../src/runner/weights.js";
import { tinyModel } from "../test/tinyModel.js";
import { choices, differing, type Quality, qualityOf, type Sample } from "./formatQuality.js";
import { goldenSamples } from "./goldenSamples.js";
import { median, reportMachine } from "./measure.js";

const { values, positionals } = parseArgs({
  options: { layers: { type: "boolean", default: false } },
  allowPositionals: true,
});
const [folder, list] = positionals;
if (!folder) throw new Error("usage: quality.ts MODEL [SHOTS.json] [--layers]");

const description = requireCheckpoints(await readModelFolder(folder));
const { config, tokenizer, preprocessing } = await readConfigs(node, description, undefined);
const { image: imageToken, endOfChunk } = tokenizer.special;

/** The images and texts of a list, as captions. */
async function listed(file: string): Promise<Sample[]> {
  const read = imageReader(node, { preprocessing }, {});
  const samples: Sample[] = [];
  for (const { image, text } of await readShots(file)) {
    const ids = idsOf(tokenizer, contentOf(captionPrompt(image), undefined));
    const answer = [...tokenizer.encode(text), endOfChunk];
    samples.push({ images: [await read(image, undefined)], ids, answer });
  }
  return samples;
}

const samples = list ? await listed(list) : await goldenSamples(tinyModel(basename(folder)));
const qualities = new Map<string, Quality>();
reportMachine();
console.log(`${description.name}: ${samples.length} prompts`);
console.log("| weights | error of a product: median, largest | loss | changed answers | changed tokens |");
console.log("|---|---|---|---|---|");
for (const [name, formatOf] of choices) {
  await withClosing(async (closing) => {
    const open = checkpointOpener(node, { limits: undefined });
    const opened = async (path: string) => closing(await open({ folder: description.folder, path }));
    const checkpoints = {
      vision: await opened(description.vision.weights),
      language: await opened(description.language.weights),
      flamingo: await opened(description.flamingo.checkpoint),
    };
    const runtime = closing(await node.openRuntime(undefined, undefined));
    const programs = programsOf(config, formatOf);
    const uses = programs.flatMap((program) => program.weights);
    const errors = new Map<string, number>();
    for await (const read of eachTensor(uses, findWeights(uses, checkpoints, config.language))) {
      const error = await productError(runtime, read, { exact: name.endsWith("exact") });
      if (error !== undefined) errors.set(read.tensor, error);
    }
    const runner = closing(await openModelRunner({ runtime, config, programs, checkpoints, imageToken }));
    const reference = qualities.get("fp32");
    const quality = await qualityOf(runner, samples, {
      maxNewTokens: 20,
      endTokens: [endOfChunk],
      reference: reference?.answers,
    });
    qualities.set(name, quality);
    const { answers } = reference ?? quality;
    const all = [...errors.values()];
    const error = all.length ? `${median(all).toExponential(1)}, ${Math.max(...all).toExponential(1)}` : "";
    const changed = quality.answers.filter((answer, i) => answer.join() !== answers[i]!.join()).length;
    const tokens = `${differing(quality.chosen, answers)} of ${answers.flat().length}`;
    console.log(
      `| ${name} | ${error} | ${quality.loss.toFixed(4)} | ${changed} of ${samples.length} | ${tokens} |`,
    );
    if (values.layers)
      for (const [tensor, off] of errors) console.log(`  ${tensor}: ${off.toExponential(2)}`);
  });
}
for (const block of ["int4 b128", "int4 b32"]) {
  const [fast, exact] = [qualities.get(block)!, qualities.get(`${block} exact`)!];
  const changed = fast.answers.filter((answer, i) => answer.join() !== exact.answers[i]!.join()).length;
  console.log(
    `${block}: ${changed} of ${samples.length} answers of the fast kernel differ from the exact one's`,
  );
}
