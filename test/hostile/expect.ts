/** What is expected of every hostile file. */

import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import { elementCount } from "../../src/base/dtypes.js";
import { openCheckpoint } from "../../src/checkpoints/openCheckpoint.node.js";
import { expectError } from "../checkpoints/fixtures.js";
import { canaryFile, type HostileRow } from "./row.js";

/** What payloads name: it counts how often it was called. */
const global = globalThis as { hostileCanary?: () => void };

/** Opens the checkpoint at `path` and reads every tensor, as loading a model does. */
export async function readAll(path: string): Promise<void> {
  await using checkpoint = await openCheckpoint(path);
  for (const [name, { shape }] of checkpoint.tensors) {
    await checkpoint.read(name, new Float32Array(elementCount(shape)));
  }
}

/** Expects that `action` rejects the row with its own words, and that nothing of what it tries came to pass. */
export async function expectRejected(
  { code, message }: Pick<HostileRow, "code" | "message">,
  action: () => Promise<unknown>,
): Promise<string> {
  let calls = 0;
  global.hostileCanary = () => {
    calls++;
  };
  try {
    const error = await expectError(action, code, message);
    expect(error.message, "no control characters").not.toMatch(/(?!\n)\p{Cc}/u);
    expect(error.message.length, "a message, not the file").toBeLessThan(1000);
    expect(calls, "calls of the canary").toBe(0);
    expect(existsSync(join(process.cwd(), canaryFile)), "a file written by the payload").toBe(false);
    expect(Object.keys(Object.prototype)).toEqual([]);
    expect({}).not.toHaveProperty("polluted");
    return error.message;
  } finally {
    delete global.hostileCanary;
  }
}

/** Handles that the process has open; on systems that do not say, none. */
export const openFiles = (): number =>
  existsSync("/proc/self/fd") ? readdirSync("/proc/self/fd").length : 0;

/** Expects of each message in turn that none before it said the same, wherever in the file. */
export function differs(): (message: string) => void {
  const met = new Set<string>();
  return (message) => {
    const words = message.replaceAll(/byte \d+/g, "byte");
    expect(met.has(words), words).toBe(false);
    met.add(words);
  };
}

/** Expects that no two rows are called the same, try the same, or wait for the same words. */
export function expectDistinct(rows: readonly { name: string; tries: string; message: string }[]): void {
  for (const field of ["name", "tries", "message"] as const) {
    const values = rows.map((row) => row[field]);
    expect(
      values.filter((value, i) => values.indexOf(value) !== i),
      field,
    ).toEqual([]);
  }
}
