/**
 * Writes what `torch.load` reads: a zip archive with a pickle and a storage for each tensor.
 *
 * Reference: torch/serialization.py, `_save`.
 */
import { endianness } from "node:os";
import { basename } from "node:path";
import { bug } from "../base/errors.js";
import { writeWhole } from "../base/wholeFile.node.js";
import { pickle, type TorchValue } from "./torch/writePickle.js";
import { zipFile } from "./torch/writeZip.node.js";
import { bytesIn, requireShape } from "./writtenTensor.js";

/**
 * Writes a file atomically, in a few MiB of memory beside the tensors.
 *
 * @throws OpenFlamingoError `disk`; `internal` for a tensor whose shape is not that of its numbers
 * @example
 * await writeTorch("checkpoint.pt", { orderedDict: new Map([["w", { tensor: { shape: [2], data } }]]) });
 */
export async function writeTorch(path: string, value: TorchValue): Promise<void> {
  const root = basename(path).replace(/(?<=.)\.[^.]*$/, "");
  await writeWhole(path, async (file) => {
    for (const piece of torchFile(value, root)) await file.writeFile(piece);
  });
}

/** The bytes of the file. @param root the archive's one folder; @param wideFrom see `zipFile` */
export function torchFile(value: TorchValue, root: string, wideFrom?: number): Generator<Uint8Array> {
  if (endianness() !== "LE") throw bug("internal", `${root}: this machine's numbers are big-endian`);
  const { bytes, tensors } = pickle(value);
  tensors.forEach((tensor, i) => {
    requireShape(`${root}/data/${i}`, tensor);
  });
  const text = (content: string) => () => [new TextEncoder().encode(content)];
  const entries = [
    { name: `${root}/data.pkl`, bytes: () => [bytes] },
    { name: `${root}/byteorder`, bytes: text("little") },
    ...tensors.map((tensor, i) => ({ name: `${root}/data/${i}`, bytes: () => bytesIn(tensor) })),
    { name: `${root}/version`, bytes: text("3\n") },
  ];
  return zipFile(entries, { wideFrom });
}
