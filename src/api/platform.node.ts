/** Node: files of the disk, sharp for images, ONNX Runtime for the work. */
import { OpenFlamingoError } from "../base/errors.js";
import { readText } from "../checkpoints/file.node.js";
import { openCheckpoint } from "../checkpoints/openCheckpoint.node.js";
import { openPrepared, openPreparedWeights } from "../checkpoints/preparedFolder.node.js";
import { readProcessMemory } from "../machine/memory.node.js";
import { openRuntime } from "../runtime/openRuntime.node.js";
import { openKernelThreads } from "../weights/kernelThreads.node.js";
import { bundledProgramsFile, readBundledPrograms } from "./bundledPrograms.node.js";
import { fetchImage } from "./fetchImage.node.js";
import type { Platform } from "./platform.js";

export const node: Platform = {
  async readText(at, signal) {
    const read = await readText(at, { signal });
    if ("text" in read) return read.text;
    if (read.absent) return undefined;
    const { fault, hint, cause } = read;
    throw new OpenFlamingoError("model-invalid", `${at.path}: cannot be read: it ${fault}`, { hint, cause });
  },
  openCheckpoint,
  openPrepared: (folder, sha256, { signal, onProgress }) =>
    openPrepared(folder, sha256, {
      ...{ signal, onProgress: (done, total) => onProgress?.(done, total, "checking") },
    }),
  openPreparedWeights,
  openKernels: () => openKernelThreads(),
  memory: readProcessMemory,
  warn: (text) => process.emitWarning(text, "OpenFlamingoNotice"),
  compiledPrograms: (key) => readBundledPrograms(bundledProgramsFile(), key),
  openRuntime: (name, onNotice) => openRuntime(name, { onNotice }),
  async decodeImage(source, options) {
    const { decodeImage } = await import("../images/decode.node.js").catch((cause: unknown) => {
      // sharp's own words go on for a page; the first line says what is wrong.
      const [words] = String(cause instanceof Error ? cause.message : cause).split("\n");
      throw new OpenFlamingoError(
        "backend",
        `the package sharp, which decodes images, cannot be loaded: ${words}`,
        {
          hint: "Run npm install again with optional dependencies: its binaries come in one for each platform.",
          cause,
        },
      );
    });
    return decodeImage(source, {
      ...options,
      fetchImage: (url, { signal }) => fetchImage(url, { ...options, signal }),
    });
  },
};
