/**
 * Does the reference implementation's own code, with the same checkpoint, say the same of images that were never seen?
 * Fifty scenes for testing, `<image>Output:`, greedy, at most 20 new tokens. Exit code 1 when an id differs.
 *
 *     npx tsx recipes/tiny/evaluate/original.ts MODEL --python PATH
 *
 * The environment of PATH: see `bench/peers/training.py`.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { missing, pythonOf, startPeer } from "../../../bench/peers/python.js";
import { load } from "../../../src/index.js";
import { openSprites } from "../world/sprites.node.js";
import { loadThings } from "../world/things.node.js";
import { pngOfScene, testScene } from "./drawn.js";

const { values: given, positionals } = parseArgs({
  options: { python: { type: "string" } },
  allowPositionals: true,
});
const [model] = positionals;
if (!model) throw new Error("usage: original.ts MODEL --python PATH");
const python = pythonOf(given.python);
const lacking = missing(python, ["open_flamingo", "torch"]);
if (lacking !== undefined) throw new Error(lacking);

const count = 50;
const script = fileURLToPath(new URL("../../../bench/peers/training.py", import.meta.url));
const temporary = mkdtempSync(join(tmpdir(), "openflamingo-peer-"));
try {
  const files = await heldOutImages();
  const theirs = await byOriginal(files);
  await using flamingo = await load(model, { onNotice: () => {} });
  let same = 0;
  for (const [i, file] of files.entries()) {
    const { ids, text } = await flamingo.caption(file);
    const isSame = ids.join(" ") === theirs[i];
    if (isSame) same++;
    console.log(
      `${isSame ? "same" : "DIFFERENT"} ${i}: ${text} [${ids.join(" ")}]${isSame ? "" : ` [${theirs[i]}]`}`,
    );
  }
  console.log(
    `${flamingo.name}: ${same} of ${count} captions have the same ids, ${new Set(theirs).size} different ones`,
  );
  if (same !== count) process.exitCode = 1;
} finally {
  rmSync(temporary, { recursive: true });
}

/** Scenes of the split for testing, as PNG files. */
async function heldOutImages(): Promise<readonly string[]> {
  const things = await loadThings();
  const world = { things, sprites: await openSprites(things), seed: 1 };
  const files = Array.from({ length: count }, (_, i) => join(temporary, `${i}.png`));
  for (const [i, file] of files.entries()) {
    writeFileSync(file, await pngOfScene(world, testScene(world, world.seed, i)));
  }
  return files;
}

/** The ids of each caption, in a line. */
async function byOriginal(files: readonly string[]): Promise<readonly string[]> {
  const description = JSON.parse(readFileSync(join(model!, "openflamingo.json"), "utf8"));
  const checkpoint = join(model!, description.flamingo.checkpoint);
  const args = ["-W", "ignore", script, model!, "2", "caption", checkpoint, ...files];
  using peer = startPeer(python, args, temporary);
  const captions: string[] = [];
  for (const _ of files) captions.push((JSON.parse(await peer.line()) as { ids: number[] }).ids.join(" "));
  return captions;
}
