/**
 * How fast are images packed, and fetched from this machine? 2,000 JPEGs of 640 × 480:
 *
 *     npx tsx bench/packing.ts [IMAGES]
 */
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { fetchData } from "../src/api/fetchData.node.js";
import { packData } from "../src/api/packData.node.js";

const count = Number(process.argv[2] ?? 2000);
const folder = mkdtempSync(join(tmpdir(), "packing-bench-"));
const images = join(folder, "images");
mkdirSync(images);

const pixels = Buffer.alloc(3 * 640 * 480);
for (let i = 0; i < pixels.length; i++) pixels[i] = 128 + 60 * Math.sin(i / 700) + ((i * 7919) % 31);
const jpeg = await sharp(pixels, { raw: { width: 640, height: 480, channels: 3 } })
  .jpeg()
  .toBuffer();
const rows = Array.from({ length: count }, (_, i) => i);
for (const i of rows) writeFileSync(join(images, `${i}.jpg`), jpeg);

const server = createServer((_, response) => response.end(jpeg)).listen(0, "127.0.0.1");
await once(server, "listening");
const { port } = server.address() as AddressInfo;
const captions = join(folder, "captions.csv");
const addresses = join(folder, "addresses.csv");
writeFileSync(captions, `image,caption\n${rows.map((i) => `${i}.jpg,caption ${i}\n`).join("")}`);
writeFileSync(
  addresses,
  `url,caption\n${rows.map((i) => `http://127.0.0.1:${port}/${i}.jpg,caption ${i}\n`).join("")}`,
);

async function timed(what: string, work: () => Promise<{ readonly samples: number }>): Promise<void> {
  const [start, before] = [performance.now(), process.cpuUsage()];
  const { samples } = await work();
  const seconds = (performance.now() - start) / 1000;
  const { user, system } = process.cpuUsage(before);
  const cpu = (user + system) / 1e6;
  const peak = Math.round(process.resourceUsage().maxRSS / 1024);
  console.log(
    `${what.padEnd(28)} ${(samples / seconds).toFixed(0).padStart(6)} images/s  ${((1000 * cpu) / samples).toFixed(2)} ms of a core each  peak ${peak} MiB`,
  );
}

console.log(`${count} JPEGs of 640 × 480, ${jpeg.length} bytes each`);
const lists = { captions: [captions], addresses: [addresses] };
await timed("pack, bytes kept", () =>
  packData({ kind: "captions", lists: lists.captions, images, output: join(folder, "kept") }),
);
await timed("pack, longer side 256", () =>
  packData({ kind: "captions", lists: lists.captions, images, output: join(folder, "small"), maxSide: 256 }),
);
const local = { lists: lists.addresses, allowPrivateAddresses: true };
await timed("fetch, bytes kept", () => fetchData({ ...local, output: join(folder, "fetched") }));
await timed("fetch, longer side 256", () =>
  fetchData({ ...local, output: join(folder, "scaled"), maxSide: 256 }),
);
server.close();
rmSync(folder, { recursive: true });
