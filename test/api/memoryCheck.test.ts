/** A model, or a call, that will not fit in memory is an error before anything large is read. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createOnPlatform } from "../../src/api/compat/create.js";
import { loadModel } from "../../src/api/load.js";
import { node } from "../../src/api/platform.node.js";
import { prepare } from "../../src/api/prepare.node.js";
import { readModelFolder } from "../../src/checkpoints/modelFolder.node.js";
import { load } from "../../src/index.js";
import { run } from "../cli/run.js";
import { golden, randomModelFolder } from "../goldens.js";
import { sparseModel } from "../machine/sparseModel.js";

const photo = golden("photos/rocket.jpg");
const folder = mkdtempSync(join(tmpdir(), "memory-check-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Node with so many bytes free. */
const withFree = (free: number) => ({
  ...node,
  memory: () => ({ free, total: 64e9, buffers: process.memoryUsage().arrayBuffers }),
});
const quiet = { onNotice: () => {} };

describe("opening", () => {
  const large = join(folder, "large");
  // Half a terabyte as float32: more than a machine has on which tests run.
  beforeAll(() => sparseModel(large, { layers: 72, hiddenSize: 12_288, heads: 96 }));

  test("the command line says what is needed and what is free, and ends with 6", async () => {
    const { code, stderr, stdout } = await run(["caption", "--model", large, photo]);
    expect(stderr).toMatch(/needs 611\.\d GB as float32, \d+\.\d GB are free/);
    expect(stderr).toMatch(/--memory-check off opens it all the same\./);
    expect(stdout).toBe("");
    expect(code).toBe(6);
  });

  test("in the library, of checkpoints: how it would fit", async () => {
    const model = await readModelFolder(large);
    await expect(loadModel(withFree(100e9), model, quiet)).rejects.toMatchObject({
      code: "memory",
      hint: expect.stringContaining(`Try openflamingo prepare ${large} --weights int4 (`),
      data: { free: 100e9 },
    });
  });

  test("of a prepared folder and of the compatible API", async () => {
    const prepared = join(folder, "prepared");
    await prepare(randomModelFolder, prepared, { weights: "int8" });
    await expect(loadModel(withFree(1e8), await readModelFolder(prepared), quiet)).rejects.toMatchObject({
      code: "memory",
      message: expect.stringContaining("as int8, 0.1 GB are free"),
    });

    const { model } = await createOnPlatform(withFree(1e8), {
      clipVisionEncoderPath: `${randomModelFolder}/clip`,
      clipVisionEncoderPretrained: `${randomModelFolder}/clip/open_clip_pytorch_model.bin`,
      langEncoderPath: `${randomModelFolder}/lang`,
      tokenizerPath: `${randomModelFolder}/lang`,
      crossAttnEveryNLayers: 4,
    });
    const checkpoint = `${randomModelFolder}/checkpoint.pt`;
    await expect(model.loadStateDict(checkpoint, { strict: false })).rejects.toMatchObject({
      code: "memory",
      message: expect.stringMatching(/checkpoint\.pt: needs 0\.\d GB as float32/),
    });
  });

  test("switched off, it is tried all the same", async () => {
    const model = await readModelFolder(randomModelFolder);
    await using flamingo = await loadModel(withFree(0), model, { ...quiet, memoryCheck: "off" });
    expect((await flamingo.caption(photo, { maxNewTokens: 1 })).ids).toHaveLength(1);
    await expect(load(undefined, { ...quiet, memoryCheck: false as never })).rejects.toMatchObject({
      code: "usage",
    });
  });
});

test("keys and values that a call might come to need are asked for before it begins", async () => {
  const memory = { free: 4e9, total: 64e9, buffers: 0 };
  const platform = { ...node, memory: () => ({ ...memory }) };
  const model = await readModelFolder(randomModelFolder);
  await using flamingo = await loadModel(platform, model, quiet);
  memory.free = 300_000; // of the model 16 kB a token
  await flamingo.caption(photo, { maxNewTokens: 2 });
  for (const options of [{ maxNewTokens: 100 }, { beams: 20 }, { temperature: 1, returnSequences: 20 }]) {
    await expect(flamingo.caption(photo, options)).rejects.toMatchObject({
      code: "memory",
      message: expect.stringMatching(/^keys and values of \d+ tokens need \d+ MB, 1 MB are free$/),
      hint: expect.stringMatching(/, shorten the prompt, or open the model with cache int8\.$/),
    });
  }
  memory.buffers = 50e6; // what earlier calls have left to be collected counts as free
  await flamingo.caption(photo, { beams: 20 });
});

test("with a cache of int8 a call takes a quarter", async () => {
  const memory = { free: 4e9, total: 64e9, buffers: 0 };
  const platform = { ...node, memory: () => ({ ...memory }) };
  const model = await readModelFolder(randomModelFolder);
  await using flamingo = await loadModel(platform, model, { ...quiet, cache: "int8" });
  memory.free = 60_000; // of the model 1 kB a token, beside 4 kB of scales
  const { ids } = await flamingo.caption(photo, { maxNewTokens: 30 }); // in float32 too many
  expect(ids.length).toBeGreaterThan(0);
  await expect(flamingo.caption(photo, { maxNewTokens: 100 })).rejects.toMatchObject({
    code: "memory",
    hint: "Ask for fewer new tokens, beams or answers at a time, or shorten the prompt.",
  });
});
