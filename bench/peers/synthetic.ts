/**
 * A model that `syntheticModel.ts` wrote, opened and used by the reference implementation's own classes on PyTorch, and
 * by this project, turn by turn: seconds to open it, an image through vision encoder and resampler, tokens, beams, and
 * whether the ids are the same. On its side in float32 or bfloat16, on ours in float32 or, of a prepared folder, in few
 * bits; ids are those of one format only where both sides have float32.
 *
 *     npx tsx bench/syntheticModel.ts 4B-vitl-rpj3b FOLDER --blocks 8 --float32
 *     npx tsx bench/peers/synthetic.ts FOLDER --python PATH [--theirs float32|bfloat16] [--prepared FOLDER]
 *         [--threads 2] [--apart]
 *
 * `--apart`: one side after the other, for models that do not fit in memory twice.
 */
import { tmpdir } from "node:os";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { openModel } from "../../src/api/load.js";
import { node } from "../../src/api/platform.node.js";
import { readModelFolder } from "../../src/checkpoints/modelFolder.node.js";
import { beamSearch } from "../../src/generate/beams.js";
import { greedy } from "../../src/generate/greedy.js";
import { median, reportMachine } from "../measure.js";
import { missing, pythonOf, startPeer } from "./python.js";

const { values: given, positionals } = parseArgs({
  options: {
    python: { type: "string" },
    theirs: { type: "string", default: "float32" },
    prepared: { type: "string" },
    threads: { type: "string", default: "2" },
    apart: { type: "boolean", default: false },
  },
  allowPositionals: true,
});
const [folder] = positionals;
if (!folder) throw new Error("usage: synthetic.ts FOLDER --python PATH");
const threads = Number(given.threads);
const python = pythonOf(given.python);
const lacking = missing(python, ["open_flamingo", "torch"]);
if (lacking !== undefined) throw new Error(lacking);

interface Took {
  readonly ms: number;
  /** Milliseconds of the processor. */
  readonly processor: number;
  readonly ids: readonly number[];
}

/** One side. Both are asked the same, in the same order. */
interface Side {
  readonly name: string;
  readonly opening: Pick<Took, "ms" | "processor">;
  /** @param value of every pixel */
  encode(value: number): Promise<Took>;
  /** What follows the prompt, after the image that was encoded last. */
  generate(prompt: readonly number[], count: number, beams: number): Promise<Took>;
  close(): Promise<void>;
}

async function theirs(): Promise<Side> {
  const script = fileURLToPath(new URL("synthetic.py", import.meta.url));
  const args = ["-W", "ignore", script, folder!, String(threads), given.theirs];
  const peer = startPeer(python, args, tmpdir());
  const opened = JSON.parse(await peer.line());
  const ask = async (what: object): Promise<Took> => JSON.parse(await peer.line(JSON.stringify(what)));
  return {
    name: `PyTorch ${opened.torch}, ${given.theirs}`,
    opening: { ms: 1000 * opened.seconds, processor: 1000 * opened.processor },
    encode: (pixels) => ask({ do: "encode", pixels }),
    generate: (ids, count, beams) => ask({ do: "generate", ids, count, beams }),
    close: async () => peer[Symbol.dispose](),
  };
}

async function took(run: () => Promise<readonly number[]>): Promise<Took> {
  const used = process.cpuUsage();
  const start = performance.now();
  const ids = await run();
  const ms = performance.now() - start;
  const { user, system } = process.cpuUsage(used);
  return { ms, processor: (user + system) / 1000, ids };
}

async function ours(): Promise<Side> {
  let opened: Awaited<ReturnType<typeof openModel>> | undefined;
  const opening = await took(async () => {
    const description = await readModelFolder(given.prepared ?? folder!);
    opened = await openModel(node, description, { threads, onNotice: () => {} });
    return [];
  });
  const { runner, close } = opened!;
  const { imageSize } = runner.config.vision;
  let image: Awaited<ReturnType<typeof runner.encode>> | undefined;
  return {
    name: given.prepared ? `ours, ${given.prepared}` : "ours, float32",
    opening,
    encode: (value) =>
      took(async () => {
        image = await runner.encode(new Float32Array(3 * imageSize ** 2).fill(value));
        return [];
      }),
    generate: (prompt, count, beams) =>
      took(async () => {
        const images = prompt.includes(imageToken) ? [image!] : [];
        const row = { ids: [...prompt], images };
        const limits = { maxNewTokens: count, endTokens: [], banned: [] };
        if (beams > 1) return (await beamSearch(runner, row, { ...limits, beams }))[0]!.ids;
        const decoder = await runner.decoder([row], { capacity: count });
        const ids: number[] = [];
        for await (const [token] of greedy(decoder, limits)) ids.push(token!.id);
        decoder.close();
        return ids;
      }),
    close,
  };
}

/** Of GPT-NeoX-20B's tokenizer with the tokens that OpenFlamingo adds. */
const [endOfChunk, imageToken] = [50_277, 50_278];
const words = (count: number, seed: number) =>
  Array.from({ length: count }, (_, i) => (i * 97 + seed * 1_009 + 11) % 50_000);
const prompts = [3, 5, 9, 17, 33].map((length, i) => [imageToken, ...words(length - 1, i)]);
const shots = Array.from({ length: 4 }, (_, i) => [imageToken, ...words(8, 10 + i), endOfChunk]).flat();
const count = 20;

interface Figures {
  readonly name: string;
  readonly opening: Side["opening"];
  readonly images: readonly Took[];
  readonly reading: readonly Took[];
  readonly answers: readonly Took[];
  readonly beams: readonly Took[];
}

const sides = given.apart ? [] : [await theirs(), await ours()];
const all: Figures[] = [theirs, ours].map(() => ({}) as Figures);
/** Each part by one side, then by the other. */
async function measure(): Promise<void> {
  const made = given.apart ? [theirs, ours] : sides.map((side) => async () => side);
  const parts: { [Part in "images" | "reading" | "answers" | "beams"]: (side: Side) => Promise<Took[]> } = {
    images: (side) => each([0.1, 0.2, 0.3, 0.4, 0.5, 0.1], (value) => side.encode(value)),
    reading: (side) => each([...prompts, shots.slice(0, -1)], (prompt) => side.generate(prompt, 1, 1)),
    answers: (side) => each(prompts, (prompt) => side.generate(prompt, count, 1)),
    beams: (side) => each(prompts.slice(0, 2), (prompt) => side.generate(prompt, count, 3)),
  };
  const runPart = async (side: Side, i: number, part: keyof typeof parts) => {
    const { name, opening } = side;
    all[i] = { ...all[i]!, name, opening, [part]: await parts[part](side) };
  };
  const names = Object.keys(parts) as (keyof typeof parts)[];
  if (given.apart) {
    for (const [i, open] of made.entries()) {
      const side = await open();
      for (const part of names) await runPart(side, i, part);
      await side.close();
    }
  } else {
    for (const part of names) for (const [i, side] of sides.entries()) await runPart(side, i, part);
    for (const side of sides) await side.close();
  }
}

async function each<T>(list: readonly T[], run: (item: T) => Promise<Took>): Promise<Took[]> {
  const results: Took[] = [];
  for (const item of list) results.push(await run(item));
  return results;
}

await measure();
reportMachine();
console.log(`${folder}, ${threads} threads; milliseconds (of the processor)`);
const mid = (list: readonly Took[], of: "ms" | "processor") => median(list.map((each) => each[of]));
const step = (figures: Figures, part: "answers" | "beams", of: "ms" | "processor") =>
  median(figures[part].map((answer, i) => (answer[of] - figures.reading[i]![of]) / (count - 1)));
const rows = all.map((figures) => {
  const { name, opening, images } = figures;
  const both = (value: (of: "ms" | "processor") => number) => [value("ms"), value("processor")] as const;
  const numbers = [
    both((of) => opening[of]),
    both((of) => mid(images.slice(1), of)),
    both((of) => step(figures, "answers", of)),
    both((of) => step(figures, "beams", of)),
  ];
  console.log(`${name}: ${numbers.map(([ms, cpu]) => `${ms.toFixed(0)} (${cpu.toFixed(0)})`).join("; ")}`);
  return numbers;
});
console.log("  opening; an image; a token; a step of 3 beams");
const ratios = rows[1]!.map(([ms, cpu], i) => {
  const [other, otherCpu] = rows[0]![i]!;
  return `${(ms / other).toFixed(2)} (${(cpu / otherCpu).toFixed(2)})`;
});
console.log(`ours takes ${ratios.join("; ")}`);
for (const part of ["answers", "beams"] as const) {
  const [original, own] = all.map((figures) => figures[part].map(({ ids }) => ids.join(" ")));
  const same = original!.filter((ids, i) => ids === own![i]).length;
  console.log(`${part}: ${same} of ${original!.length} the same, ${count} tokens each`);
}
