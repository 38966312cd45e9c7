/**
 * Loaded before the command line (`node --import`): it takes the tiny test model for a released one, and its disk is
 * full after so many bytes.
 */
import { open } from "node:fs/promises";
import { releasedModels } from "../../dist/released/releasedModels.node.js";

const { OPENFLAMINGO_TEST_MODEL: model, OPENFLAMINGO_TEST_DISK: disk } = process.env;
if (model) {
  const released = JSON.parse(model);
  const at = releasedModels.findIndex(({ name }) => name === released.name);
  releasedModels[at] = { ...released, config: releasedModels[at].config };
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
