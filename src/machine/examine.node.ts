/** All that `openflamingo doctor` says: the installation, the machine, its speed, what would run on it, what is there. */
import { readdirSync } from "node:fs";
import { availableParallelism, cpus } from "node:os";
import { OpenFlamingoError } from "../base/errors.js";
import { type CachedRepository, cachedRepositories } from "../hub/cachedModels.node.js";
import { readHubSettings } from "../hub/settings.node.js";
import { type PreparedModel, preparedModels } from "../released/preparedModels.node.js";
import { openRuntime } from "../runtime/openRuntime.node.js";
import { type Check, checkInstallation } from "./installation.node.js";
import type { Memory } from "./memory.js";
import { readMemory, readSystemText } from "./memory.node.js";
import { graphicsAdapters, instructionSets } from "./processor.js";
import { type ReleasedFit, releasedFits } from "./released.js";
import { measureSpeed, type Speed } from "./speed.js";

export interface Examination {
  readonly installation: readonly Check[];
  readonly processor: {
    readonly name: string;
    /** That this process may use. */
    readonly cores: number;
    /** Undefined where the system does not say. */
    readonly instructionSets: readonly string[] | undefined;
  };
  readonly memory: Memory;
  /** Graphics processors that can be seen; none of them is used. */
  readonly adapters: readonly string[];
  /** Undefined without a backend that works. */
  readonly speed: Speed | undefined;
  readonly models: readonly ReleasedFit[];
  readonly hub:
    | {
        readonly cache: string;
        readonly repositories: readonly CachedRepository[];
        readonly prepared: readonly PreparedModel[];
      }
    | undefined;
}

export interface ExamineOptions {
  /** Of the measurements; all cores when left out. */
  readonly threads?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onStep?: ((what: string) => void) | undefined;
}

/** What does not work is in the result; only a signal's reason is thrown, and what measuring throws. */
export async function examine({ threads, signal, onStep }: ExamineOptions = {}): Promise<Examination> {
  const checks = await checkInstallation();
  const hub = await cacheState();
  const memory = readMemory();
  const works = (what: string) => checks.some((check) => check.what === what && !check.error);
  const backend = ["ort.ffi", "ort.binding"].find(works);
  const speed = backend && (await speedOf(backend, { free: memory.free, threads, signal, onStep }));
  return {
    installation: hub instanceof OpenFlamingoError ? [...checks, { what: "hub", error: hub }] : checks,
    processor: {
      name: cpus()[0]?.model.trim() || "unknown",
      cores: availableParallelism(),
      instructionSets: instructionSets(readSystemText),
    },
    memory,
    adapters: graphicsAdapters(readSystemText, namesIn),
    speed: speed || undefined,
    models: speed ? releasedFits(memory, speed) : [],
    hub: hub instanceof OpenFlamingoError ? undefined : hub,
  };
}

async function speedOf(backend: string, options: Parameters<typeof measureSpeed>[1]): Promise<Speed> {
  const runtime = await openRuntime(backend);
  try {
    return await measureSpeed(runtime, options);
  } finally {
    await runtime.close();
  }
}

/** The hub's cache folder and what was prepared from it, or what is wrong with its settings. */
async function cacheState(): Promise<NonNullable<Examination["hub"]> | OpenFlamingoError> {
  try {
    const settings = await readHubSettings();
    const { cache } = settings;
    const prepared = await preparedModels(settings);
    return { cache, repositories: await cachedRepositories(cache), prepared };
  } catch (error) {
    if (error instanceof OpenFlamingoError) return error;
    throw error;
  }
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
