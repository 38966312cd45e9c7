/**
 * Do we give the tokens that the reference implementation gives, and how long does each take for an image? The
 * reference implementation's Python code and this project, side by side: fifty images, two tinyModels, greedy and 3
 * beams, `<image>Output:`, at most 20 new tokens, 2 threads each. An image's time goes from its file to its ids, models
 * loaded. The models are tiny: times are those of everything around the arithmetic, and say nothing of a real model's
 * speed. With the 9b form the reference implementation reads the whole text again for every token (its configuration
 * says `use_cache: false`, as the released one's).
 *
 *     npx tsx bench/peers/original.ts [--python PATH] [--threads 2]
 *
 * Needs `original.py` with an environment of its own; without it says so and ends. Exit code 1 when an id differs.
 */
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { loadavg, tmpdir } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { type Flamingo, load } from "../../src/index.js";
import { median, report, reportMachine } from "../measure.js";
import { fiftyImages } from "./fiftyImages.js";
import { missing, pythonOf, pythonVariable, startPeer } from "./python.js";

const at = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const script = at("../shared/peers/original.py");
/** Of the three forms, the reference implementation's packages hold the code of these two. */
const tinyModels = ["test/goldens/tiny-openflamingo-9b", "../shared/goldens/tiny-openflamingo-4b"].map(at);

const howTo = `The reference implementation runs in a throw-away environment of Python 3.10:
    pip install -r requirements-original.txt    (beside original.py)
Name it by --python PATH or ${pythonVariable}. Nothing else needs it.`;

interface Captioned {
  readonly ids: readonly number[];
  readonly seconds: number;
}

const { values: given } = parseArgs({
  options: { python: { type: "string" }, threads: { type: "string", default: "2" } },
});
const python = pythonOf(given.python);
const threads = Number(given.threads);
const temporary = mkdtempSync(join(tmpdir(), "openflamingo-peer-"));
try {
  const lacking = existsSync(script) ? missing(python, ["open_flamingo"]) : `there is no ${script}`;
  if (lacking === undefined) await compare();
  else console.log(`skipped: ${lacking}\n${howTo}`);
} finally {
  rmSync(temporary, { recursive: true });
}

async function compare(): Promise<void> {
  const { files, photographs } = await fiftyImages(temporary);
  const made = files.length - photographs;
  reportMachine();
  console.log(
    `load average ${loadavg()[0]!.toFixed(1)}, ${threads} threads each. When other programs run too, the`,
  );
  console.log("original slows down far more with 2 threads than we do; with --threads 1 it does not.");
  console.log(`${files.length} images: ${photographs} photographs, ${made} made up; none AVIF, whose pixels`);
  console.log("depend on the decoder. Times are medians without the first image.");
  for (const folder of tinyModels) {
    if (!existsSync(folder)) {
      console.log(`skipped: ${basename(folder)} is not at hand`);
      continue;
    }
    await using flamingo = await load(folder, { threads });
    console.log(`ours on ${flamingo.backend}`);
    for (const beams of [1, 3]) {
      const original = await byOriginal(folder, files, beams);
      const ours = await byOurs(flamingo, files, beams);
      print(`${flamingo.name}, ${beams === 1 ? "greedy" : `${beams} beams`}`, files, original, ours);
    }
  }
}

async function byOriginal(folder: string, files: readonly string[], beams: number): Promise<Captioned[]> {
  const options = ["--threads", String(threads), "--beams", String(beams)];
  using peer = startPeer(python, [script, folder, ...files, ...options], temporary);
  const captions: Captioned[] = [];
  for (const file of files) {
    const { picture: image, ids, seconds } = JSON.parse(await peer.line());
    if (image !== file)
      throw new Error(`the reference implementation answers for ${image}, asked for ${file}`);
    captions.push({ ids, seconds });
  }
  return captions;
}

async function byOurs(flamingo: Flamingo, files: readonly string[], beams: number): Promise<Captioned[]> {
  const captions: Captioned[] = [];
  for (const file of files) {
    const start = performance.now();
    const { ids } = await flamingo.caption(file, { beams });
    captions.push({ ids, seconds: (performance.now() - start) / 1000 });
  }
  return captions;
}

function print(
  what: string,
  files: readonly string[],
  original: readonly Captioned[],
  ours: readonly Captioned[],
): void {
  const shown = ({ ids }: Captioned) => ids.join(" ");
  const different = files.flatMap((_, i) => (shown(original[i]!) === shown(ours[i]!) ? [] : [i]));
  const answers = new Set(original.map(shown)).size;
  const tokens = original.reduce((sum, { ids }) => sum + ids.length, 0);
  const same = files.length - different.length;
  console.log(`${what}: ${same} of ${files.length} identical (${tokens} ids, ${answers} different answers)`);
  for (const i of different) {
    process.exitCode = 1;
    console.log(`  ${files[i]}\n    original ${shown(original[i]!)}\n    ours     ${shown(ours[i]!)}`);
  }
  for (const [name, side] of Object.entries({ original, ours })) {
    const [first, ...rest] = milliseconds(side);
    report(`  ${name}, an image`, rest, "ms", 0);
    console.log(`    the first ${first!.toFixed(0)} ms, all ${files.length} ${secondsOf(side).toFixed(2)} s`);
  }
  const [own, theirs] = [milliseconds(ours).slice(1), milliseconds(original).slice(1)];
  const ratio = median(own) / median(theirs);
  const atBest = (Math.min(...own) / Math.min(...theirs)).toFixed(2);
  const verdict = ratio > 1 ? "ours is slower: it takes" : "ours takes";
  console.log(`  ${verdict} ${ratio.toFixed(2)} times as long, ${atBest} times where each was fastest`);
}

function milliseconds(side: readonly Captioned[]): number[] {
  return side.map(({ seconds }) => seconds * 1000);
}

function secondsOf(side: readonly Captioned[]): number {
  return side.reduce((sum, { seconds }) => sum + seconds, 0);
}
