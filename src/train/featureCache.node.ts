/**
 * Features of images on disk: what a frozen encoder makes of an image is computed once, however often the image is read.
 *
 * A folder with three files, and a `lock` while a process uses it: `header.json` says what made the features; `features.bin` holds one record after the other,
 * float32; `keys.bin` a key and a checksum for each, written after its record, so that what a kill cut off is no entry.
 */
import { type FileHandle, mkdir, open, readFile } from "node:fs/promises";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { asyncDispose } from "../base/dispose.js";
import { OpenFlamingoError } from "../base/errors.js";
import { isObject } from "../base/json.js";
import { tryLock } from "../base/lock.node.js";
import { quoted } from "../base/quoted.js";
import { diskError, writeWhole } from "../base/wholeFile.node.js";

export interface FeatureCache extends AsyncDisposable {
  /** How many images there are features of. */
  readonly count: number;
  /** @param key of 32 bytes, in hexadecimal digits; undefined: not there, or damaged, which is reported once */
  get(key: string): Promise<Float32Array | undefined>;
  /** Keeps features, unless there is no room for them: then they are computed again when they are needed. */
  put(key: string, features: Float32Array): Promise<void>;
  close(): Promise<void>;
}

export interface FeatureCacheOptions {
  /** What the features depend on beside the image: a digest of the encoder's weights and of its settings. */
  readonly madeBy: string;
  /** Numbers of an image's features. */
  readonly length: number;
  /** In all; nothing is kept beyond it. */
  readonly mostBytes: number;
  /** Told once of damaged entries, once that there is no more room, and that another process has the folder. */
  readonly onNotice: (notice: string) => void;
}

const keyBytes = 32;
const entryBytes = keyBytes + 4; // a CRC-32 of the record

/**
 * Opens the features in a folder, for one process at a time: while another has it, nothing is found in it and nothing is
 * kept. Features are then computed as those that are kept were, so that a run's numbers are the same.
 *
 * @throws OpenFlamingoError `usage` where the folder holds features of another encoder; `disk`
 */
export async function openFeatureCache(folder: string, options: FeatureCacheOptions): Promise<FeatureCache> {
  const lock = await tryLock(join(folder, "lock"));
  if ("owner" in lock) {
    const { owner } = lock;
    const who = owner ? `process ${owner.process} on ${quoted(owner.host)}` : "another process";
    options.onNotice(`${folder}: ${who} uses these features: they are computed, and not kept, in this run`);
    return noCache;
  }
  try {
    const cache = await openAlone(folder, options);
    const close = async () => {
      await cache.close();
      await lock.close();
    };
    return Object.defineProperty({ ...cache, close, [asyncDispose]: close }, "count", {
      get: () => cache.count,
    });
  } catch (error) {
    await lock.close();
    throw error;
  }
}

/** Holds nothing. */
const noCache: FeatureCache = {
  count: 0,
  get: async () => undefined,
  put: async () => {},
  close: async () => {},
  [asyncDispose]: async () => {},
};

async function openAlone(
  folder: string,
  { madeBy, length, mostBytes, onNotice }: FeatureCacheOptions,
): Promise<Omit<FeatureCache, typeof asyncDispose>> {
  const header = { format: "openflamingo-features", version: 1, madeBy, length };
  await onDisk(folder, () => requireHeader(folder, header));
  const recordBytes = 4 * length;
  const features = await onDisk(folder, () => openBoth(join(folder, "features.bin")));
  const keys = await onDisk(folder, () => openBoth(join(folder, "keys.bin"))).catch(async (error) => {
    await features.close();
    throw error;
  });
  const places = new Map<string, { readonly index: number; readonly crc: number }>();
  let isNoticed = false;
  let isFull = false;

  const whole = async (): Promise<number> => {
    const [records, entries] = [(await features.stat()).size, (await keys.stat()).size];
    return Math.min(Math.floor(records / recordBytes), Math.floor(entries / entryBytes));
  };
  const readKeys = async () => {
    const count = await whole();
    await keys.truncate(count * entryBytes);
    const entries = Buffer.alloc(count * entryBytes);
    await readFully(keys, entries, 0);
    for (let index = 0; index < count; index++) {
      const entry = entries.subarray(index * entryBytes, (index + 1) * entryBytes);
      const key = entry.toString("hex", 0, keyBytes);
      places.set(key, { index, crc: entry.readUInt32LE(keyBytes) });
    }
    return count;
  };
  let next = await onDisk(folder, readKeys);
  let writing = Promise.resolve();

  const write = async (key: string, values: Float32Array) => {
    if (isFull || places.has(key)) return;
    if ((next + 1) * (recordBytes + entryBytes) > mostBytes) {
      isFull = true;
      onNotice(`${folder}: is as large as it may be: other features are computed when they are needed`);
      return;
    }
    const index = next;
    const record = bytesOf(values);
    const entry = Buffer.alloc(entryBytes);
    entry.write(key, 0, "hex");
    const crc = crc32(record);
    entry.writeUInt32LE(crc, keyBytes);
    try {
      await writeFully(features, record, index * recordBytes);
      await writeFully(keys, entry, index * entryBytes);
    } catch (error) {
      isFull = true;
      onNotice(`${(diskError(folder, error) as Error).message}: features are computed when they are needed`);
      return;
    }
    next++;
    places.set(key, { index, crc });
  };

  const close = async () => {
    await writing;
    await features.close();
    await keys.close();
  };
  return {
    get count() {
      return places.size;
    },
    async get(key) {
      const place = places.get(key);
      if (!place) return undefined;
      const values = new Float32Array(length);
      // What the disk does not give back is damaged too.
      const isWhole = await readFully(features, bytesOf(values), place.index * recordBytes).catch(
        () => false,
      );
      if (isWhole && crc32(bytesOf(values)) === place.crc) return values;
      places.delete(key);
      if (!isNoticed) onNotice(`${folder}: features in it are damaged, and are computed anew`);
      isNoticed = true;
      return undefined;
    },
    put(key, values) {
      writing = writing.then(() => write(key, values));
      return writing;
    },
    close,
  };
}

const bytesOf = ({ buffer, byteOffset, byteLength }: Float32Array): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);

/** For reading and writing, made if need be, at any place: not for appending. */
const openBoth = async (path: string): Promise<FileHandle> =>
  open(path, "r+").catch(async (error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOENT") throw error;
    return open(path, "wx+");
  });

/** @returns whether there were as many bytes */
async function readFully(file: FileHandle, into: Uint8Array, position: number): Promise<boolean> {
  for (let done = 0; done < into.length; ) {
    const { bytesRead } = await file.read(into, done, into.length - done, position + done);
    if (bytesRead === 0) return false;
    done += bytesRead;
  }
  return true;
}

/** A disk that is nearly full takes part of what it is given, and says so in the number alone. */
async function writeFully(file: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    done += (await file.write(bytes, done, bytes.length - done, position + done)).bytesWritten;
  }
}

interface Header {
  readonly format: string;
  readonly version: number;
  readonly madeBy: string;
  readonly length: number;
}

async function requireHeader(folder: string, header: Header): Promise<void> {
  await mkdir(folder, { recursive: true });
  const path = join(folder, "header.json");
  const text = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOENT") throw error;
    return undefined;
  });
  if (text === undefined) return writeWhole(path, (file) => file.writeFile(JSON.stringify(header)));
  const found = parsed(text);
  if (Object.entries(header).every(([name, value]) => found[name] === value)) return;
  throw new OpenFlamingoError("usage", `${folder}: holds no features of this encoder`, {
    hint: "They depend on the vision encoder and its preprocessing: name another folder, or remove this one.",
  });
}

function parsed(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : {};
  } catch {
    return {};
  }
}

async function onDisk<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw diskError(path, error);
  }
}
