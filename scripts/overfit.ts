/**
 * Shows that a model learns, by the whole way of a user: 64 made images with captions are packed and learnt by
 * `openflamingo train`, from a tiny model of random weights, and `openflamingo caption` then says of each image what it
 * was taught. Fails when the loss does not come below 0.05, or a caption is another.
 *
 *     npm run overfit [FOLDER]    FOLDER, which must be empty, is kept; otherwise nothing is
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import sharp from "sharp";
import { randomStream } from "../src/base/random.js";

// The frozen language model is random and 64 wide: of many tokens it can be sure in no state. Of these it can.
const kinds = ["red", "white", "blue", "yellow", "old", "small", "tall", "big"];
const things = ["table", "bus", "dog", "cat", "clock", "man", "chair", "hat"];
const captionOf = (kind: string, thing: string) => `a ${kind} ${thing} on a chair in the street`;
const squares = 4; // a side
const side = 32; // pixels

const kept = process.argv[2];
const folder = kept ?? mkdtempSync(join(tmpdir(), "openflamingo-overfit-"));
const main = fileURLToPath(new URL("../dist/cli/main.js", import.meta.url));

const randomModel = fileURLToPath(new URL("../test/goldens/tiny-openflamingo-9b", import.meta.url));

/** Standard output of a command; notices and errors are shown. */
function openflamingo(args: readonly string[]): string {
  console.log(`$ openflamingo ${args.join(" ")}`);
  const { status, stdout } = spawnSync(process.execPath, [main, ...args], {
    ...{ cwd: folder, encoding: "utf8", stdio: ["ignore", "pipe", "inherit"], maxBuffer: 2 ** 28 },
  });
  if (status !== 0) throw new Error(`exit code ${status}`);
  return stdout;
}

const linesOf = <Line>(text: string): readonly Line[] =>
  text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Line);

/** Squares of random colours, no two images alike. */
async function makeImages(): Promise<ReadonlyMap<string, string>> {
  const captions = new Map<string, string>();
  const random = randomStream(0, "overfit");
  mkdirSync(join(folder, "images"), { recursive: true });
  let drawn = 0;
  for (const kind of kinds) {
    for (const thing of things) {
      const name = `${captions.size}.png`.padStart(6, "0");
      const data = Uint8Array.from({ length: 3 * squares ** 2 }, () =>
        Math.floor(256 * random.uniform(drawn++)),
      );
      const raw = { width: squares, height: squares, channels: 3 } as const;
      const scaled = sharp(data, { raw }).resize(side, side, { kernel: "nearest" });
      await scaled.png().toFile(join(folder, "images", name));
      captions.set(name, captionOf(kind, thing));
    }
  }
  const rows = [...captions].map(([image, text]) => `${image},${text}\n`);
  writeFileSync(join(folder, "captions.csv"), `image,text\n${rows.join("")}`);
  return captions;
}

try {
  const captions = await makeImages();
  const began = performance.now();
  const settings = {
    ...{ numEpochs: 60, learningRate: 5e-3, weightDecay: 0, checkpointSteps: 1000, seed: 1 },
  };
  writeFileSync(join(folder, "settings.json"), JSON.stringify(settings));
  const own = ["--images", "images", "--captions", "captions.csv", "--run", "run"];
  const steps = linesOf<{ step: number; loss: { laion: number } }>(
    openflamingo(["train", "--model", randomModel, ...own, "--settings", "settings.json", "--json"]),
  );
  const trained = (performance.now() - began) / 1000;
  const epoch = captions.size / 8;
  const last = steps.slice(-epoch).map(({ loss }) => loss.laion);
  const loss = last.reduce((sum, each) => sum + each, 0) / last.length;
  console.log(
    `${steps.length} steps in ${trained.toFixed(1)} s: loss ${steps[0]!.loss.laion.toFixed(3)} → ${loss.toFixed(4)} (the last epoch's mean)`,
  );

  const answers = linesOf<{ image: string; text: string }>(
    openflamingo(["caption", "--model", "run", "--json", "images"]),
  );
  const wrong = answers.filter(({ image, text }) => captions.get(image.split(/[/\\]/).at(-1)!) !== text);
  for (const { image, text } of wrong.slice(0, 10)) console.log(`${image}: ${text}`);
  console.log(`${answers.length - wrong.length} of ${captions.size} captions are those that were taught`);
  if (loss >= 0.05 || wrong.length > 0 || answers.length !== captions.size) process.exitCode = 1;
} finally {
  if (kept === undefined) rmSync(folder, { recursive: true, force: true });
}
