/** Folders of files made by hand (`assemble.ts`), and what tests look at. */

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect } from "vitest";
import { elementCount } from "../../src/base/dtypes.js";
import { type ErrorCode, OpenFlamingoError } from "../../src/base/errors.js";
import type { Checkpoint } from "../../src/checkpoints/checkpoint.js";
import { bytes } from "./assemble.js";

export * from "./assemble.js";

const folders: string[] = [];
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true });
});

/** A new empty folder that goes when the test file is done. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "openflamingo-test-"));
  folders.push(folder);
  return folder;
}

/** Writes files into a new folder; gives its path. */
export function folderOf(files: Record<string, string | Uint8Array>): string {
  const folder = temporaryFolder();
  for (const [name, content] of Object.entries(files)) {
    writeFileSync(join(folder, name), typeof content === "string" ? bytes(content) : content);
  }
  return folder;
}

/** A tensor's values. */
export async function read(checkpoint: Checkpoint, name: string): Promise<number[]> {
  const info = checkpoint.tensors.get(name);
  if (info === undefined) throw new Error(`no tensor ${name}`);
  const into = new Float32Array(elementCount(info.shape));
  await checkpoint.read(name, into);
  return [...into];
}

/** Expects the package's error with this code, and the message holding all of `parts`; gives the error. */
export async function expectError(
  action: () => unknown,
  code: ErrorCode,
  ...parts: string[]
): Promise<OpenFlamingoError> {
  let thrown: unknown;
  try {
    await action();
  } catch (error) {
    thrown = error;
  }
  if (!(thrown instanceof OpenFlamingoError)) throw new Error("no OpenFlamingoError", { cause: thrown });
  expect(thrown.code, thrown.message).toBe(code);
  for (const part of parts) expect(thrown.message).toContain(part);
  expect(thrown.hint, "an error says what to do").toBeTruthy();
  return thrown;
}
