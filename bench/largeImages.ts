/**
 * What does the largest allowed image cost: time, memory, and how long does it keep the process from other work?
 *
 *     npx tsx bench/largeImages.ts [FORMAT]
 *
 * A flat image of 13,377 × 13,377, written in each format (or the given one) and read in a process of its own, since
 * the peak of memory is the process's.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { fileURLToPath } from "node:url";
import sharp from "sharp";
import { decodeImage } from "../src/images/decode.node.js";
import { toSquare } from "../src/images/index.js";
import { reportMachine } from "./measure.js";

const side = 13_377;
const formats = ["png", "jpeg", "webp", "tiff", "avif"] as const;

if (process.argv[2] === "read") await read(process.argv[3]!);
else await main();

/** In a process of its own. */
async function read(file: string): Promise<void> {
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  const start = performance.now();
  const raster = await decodeImage(file, { maxSeconds: 300 });
  const decoded = performance.now();
  await toSquare(raster, 224);
  const end = performance.now();
  delay.disable();
  const seconds = (from: number, to: number) => `${((to - from) / 1000).toFixed(1)} s`;
  const peak = (process.resourceUsage().maxRSS / 1024).toFixed(0);
  console.log(
    `decode ${seconds(start, decoded)}, to a square ${seconds(decoded, end)}, others wait ${(delay.max / 1e6).toFixed(0)} ms at most, peak ${peak} MiB`,
  );
}

async function main(): Promise<void> {
  reportMachine();
  const folder = mkdtempSync(join(tmpdir(), "openflamingo-large-"));
  try {
    const asked = formats.filter((format) => process.argv[2] === undefined || process.argv[2] === format);
    for (const format of asked) {
      const file = join(folder, `large.${format}`);
      const background = { r: 90, g: 140, b: 200 };
      const flat = sharp({
        create: { width: side, height: side, channels: 3, background },
        limitInputPixels: false,
      });
      await flat.toFormat(format, format === "avif" ? { effort: 0 } : {}).toFile(file);
      const args = [...process.execArgv, fileURLToPath(import.meta.url), "read", file];
      const { stdout, stderr } = spawnSync(process.execPath, args, { encoding: "utf8" });
      console.log(`${format}: ${stdout.trim() || stderr}`);
      rmSync(file);
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
}
