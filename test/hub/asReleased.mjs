/**
 * Loaded before the command line (`node --import`): it takes the tiny test model for a released one, and its disk is
 * full after so many bytes.
 */
import { open } from "node:fs/promises";
import { mpt } from "../../dist/models/mpt.js";
import { releasedModels } from "../../dist/released/releasedModels.node.js";

const { OPENFLAMINGO_TEST_MODEL: model, OPENFLAMINGO_TEST_DISK: disk } = process.env;
if (model) {
  const released = JSON.parse(model);
  const at = releasedModels.findIndex(({ name }) => name === released.name);
  const { config } = releasedModels[at];
  // That tests need no disk with room for the released model; as in `tinyRelease.ts`.
  const language = mpt({
    ...{ vocabulary: 500, contextLength: 128, layers: 4, hiddenSize: 64, heads: 4 },
    ...{ mlpRatio: 4, alibiMax: 8 },
  });
  const vision = { ...config.vision, hiddenSize: 64, layers: 2 };
  releasedModels[at] = { ...released, config: { ...config, vision, language } };
}
if (disk) {
  const file = await open("/dev/null", "w");
  const handle = Object.getPrototypeOf(file);
  await file.close();
  const { write } = handle;
  let left = Number(disk);
  handle.write = async function (data, ...where) {
    const length = typeof data === "string" ? Buffer.byteLength(data) : (where[1] ?? data.length);
    left -= length;
    if (left >= 0) return write.call(this, data, ...where);
    throw Object.assign(new Error("ENOSPC: no space left on device, write"), {
      ...{ code: "ENOSPC", errno: -28, syscall: "write" },
    });
  };
}
