/** Opens a checkpoint file of any kind that is read; the kind is known from the first bytes, not by the name. */
import { quoted } from "../base/quoted.js";
import type { Checkpoint } from "./checkpoint.js";
import type { OpenOptions } from "./limits.js";
import { damaged, rejected } from "./messages.js";
import { openSafetensors } from "./safetensors.js";
import type { ByteSource } from "./source.js";
import { openTorchZip } from "./torch/archive.js";

/**
 * The checkpoint in `source`, which is closed with it, or at once where it cannot be read.
 *
 * @throws OpenFlamingoError "checkpoint-damaged" or "checkpoint-rejected"
 */
export async function openSource(source: ByteSource, options: OpenOptions = {}): Promise<Checkpoint> {
  try {
    return await openByContent(source, options);
  } catch (error) {
    await source.close();
    throw error;
  }
}

async function openByContent(source: ByteSource, options: OpenOptions): Promise<Checkpoint> {
  const start = await source.read(0, new Uint8Array(Math.min(source.size, 512)));
  const text = new TextDecoder("latin1").decode(start);
  if (text.startsWith("PK\x03\x04")) return openTorchZip(source, options);
  if (text[8] === "{") return openSafetensors(source, options);
  const older = start[0] === 0x80 ? "bare pickle" : text.slice(257, 262) === "ustar" ? "tar" : undefined;
  if (older !== undefined) {
    throw rejected(
      source.name,
      `is a ${older}, the form that torch wrote before version 1.6, without a zip archive`,
      "Save it again with a newer torch: torch.save(torch.load(path, weights_only=True), path).",
    );
  }
  if (text.startsWith("version https://git-lfs")) {
    throw rejected(source.name, "is Git LFS's pointer to a file, not the file", "Fetch it: git lfs pull.");
  }
  const first = text.slice(0, 16).replace(/[\u007f-\uffff]/g, "?"); // some command terminals
  const found = `it is ${source.size} bytes long and starts ${quoted(first)}`;
  throw damaged(source.name, `is neither safetensors nor a torch archive; ${found}`);
}
