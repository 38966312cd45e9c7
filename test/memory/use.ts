/**
 * What calls of a loaded model leave in memory, measured in a process of its own:
 *
 *     node --expose-gc --import tsx test/memory/use.ts '{"backend": "ort.ffi", "model": "FOLDER", "calls": 25}'
 *
 * writes a `MemoryUse` as JSON. Every kind of call is made before anything is measured, so that what is made once
 * (code, tables, pools of threads) is not taken for what a call leaves.
 */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { type BackendName, type Flamingo, load } from "../../src/index.js";

export interface MemorySettings {
  readonly backend: BackendName;
  /** The model's folder. */
  readonly model: string;
  /** How many calls of each kind are measured. */
  readonly calls: number;
}

/** Megabytes: of the process, of JavaScript's objects, and of what these hold outside of its heap. */
export interface Memory {
  readonly resident: number;
  readonly heap: number;
  readonly external: number;
}

export interface MemoryUse {
  /** After a model was loaded, used and closed once. */
  readonly start: Memory;
  readonly loaded: Memory;
  /** Before and after the calls of each kind, and how long one took in milliseconds. */
  readonly kinds: Readonly<Record<string, { before: Memory; after: Memory; milliseconds: number }>>;
  /** After `close()`, while the closed model is still referenced. */
  readonly closed: Memory;
}

/** Measures in a process of its own. */
export async function memoryUse(settings: MemorySettings): Promise<MemoryUse> {
  const args = ["--expose-gc", "--import", "tsx", fileURLToPath(import.meta.url), JSON.stringify(settings)];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  return JSON.parse(stdout);
}

const image = fileURLToPath(new URL("../../assets/photos/rocket.jpg", import.meta.url));

/** The kinds of calls, each of which is made again and again. */
const kinds: Readonly<Record<string, (flamingo: Flamingo, random: () => number) => Promise<unknown>>> = {
  caption: (flamingo) => flamingo.caption(image, { maxNewTokens: 5 }),
  generate: (flamingo) => flamingo.generate("<image>Output:", { images: [image], maxNewTokens: 10 }),
  beams: (flamingo) =>
    flamingo.generate("<image>Output:", { images: [image], maxNewTokens: 5, beams: 3, returnSequences: 2 }),
  rank: (flamingo) => flamingo.rank("<image>Output:", ["a rocket", "a cat"], { images: [image] }),
  // Each is aborted somewhere between its beginning and its end.
  abort: async (flamingo, random) => {
    const controller = new AbortController();
    setTimeout(() => controller.abort(), 60 * random());
    await flamingo.caption(image, { signal: controller.signal }).catch((error: Error) => {
      if (error.name !== "AbortError") throw error;
    });
  },
};

/** Memory once garbage is collected, also that which only a turn of the event loop lets go. */
async function memory(): Promise<Memory> {
  for (let i = 0; i < 4; i++) {
    await new Promise((resolve) => setTimeout(resolve, 10));
    globalThis.gc!();
  }
  const { rss, heapUsed, external } = process.memoryUsage();
  return { resident: rss / 1e6, heap: heapUsed / 1e6, external: external / 1e6 };
}

/** The same numbers in every run: Lehmer's generator. */
function lehmer(seed: number): () => number {
  let state = seed;
  return () => {
    state = (48271 * state) % (2 ** 31 - 1);
    return state / (2 ** 31 - 1);
  };
}

async function measure({ backend, model, calls }: MemorySettings): Promise<MemoryUse> {
  const open = () => load(model, { backend });
  const random = lehmer(1);
  const first = await open();
  for (let i = 0; i < 3; i++) for (const call of Object.values(kinds)) await call(first, random);
  await first.close();
  const start = await memory();

  const flamingo = await open();
  const loaded = await memory();
  const measured: Record<string, { before: Memory; after: Memory; milliseconds: number }> = {};
  for (const [kind, call] of Object.entries(kinds)) {
    for (let i = 0; i < 3; i++) await call(flamingo, random);
    const before = await memory();
    const begun = performance.now();
    for (let i = 0; i < calls; i++) await call(flamingo, random);
    const milliseconds = (performance.now() - begun) / calls;
    measured[kind] = { before, after: await memory(), milliseconds };
  }
  await flamingo.close();
  const closed = await memory();
  await flamingo.caption(image).catch(() => {}); // it is referenced up to here
  return { start, loaded, kinds: measured, closed };
}

const [, program, settings] = process.argv;
if (program === fileURLToPath(import.meta.url) && settings !== undefined) {
  console.log(JSON.stringify(await measure(JSON.parse(settings))));
}
