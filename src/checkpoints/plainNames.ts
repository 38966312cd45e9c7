/**
 * Names of tensors without the marks of what wrapped the model, or parts of it, when they were saved: data-parallel
 * training, compilation, checkpointing of activations.
 *
 * Source: torch.nn.parallel.DistributedDataParallel (`module`), torch.compile (`_orig_mod`),
 * torch.distributed.fsdp (`_fsdp_wrapped_module`, `_flat_param`), torch's checkpoint_wrapper.py.
 * OpenFlamingo (Python) and open_clip take the first of them off as well.
 */
import { quoted } from "../base/quoted.js";
import { damaged, rejected } from "./messages.js";

const wrappers: ReadonlySet<string> = new Set([
  "module",
  "_orig_mod",
  "_fsdp_wrapped_module",
  "_checkpoint_wrapped_module",
]);

/** `module.visual._orig_mod.proj` is `visual.proj`; the last part of a name is the tensor's own. */
function plainName(name: string): string {
  const parts = name.split(".");
  return parts.filter((part, i) => i === parts.length - 1 || !wrappers.has(part)).join(".");
}

/**
 * The tensors of a file, or what an index says of them, by their plain names.
 *
 * @param file what messages call it
 * @throws OpenFlamingoError "checkpoint-damaged" where two names become one; "checkpoint-rejected" for parameters that
 *   were saved in the flat form of FSDP
 */
export function withPlainNames<Of>(tensors: ReadonlyMap<string, Of>, file: string): Map<string, Of> {
  const plain = new Map<string, Of>();
  const saved = new Map<string, string>(); // plain name → as it was saved
  for (const [name, tensor] of tensors) {
    if (/(^|\.)_?flat_param(_\d+)?$/.test(name)) {
      const hint =
        "Save it with FSDP's StateDictType.FULL_STATE_DICT, which gives every tensor its own name.";
      throw rejected(file, `holds ${quoted(name)}, many tensors in one, as FSDP flattens them`, hint);
    }
    const own = plainName(name);
    const other = saved.get(own);
    if (other !== undefined) {
      const what = `holds the tensor ${quoted(own)} twice, as ${quoted(other)} and as ${quoted(name)}`;
      throw damaged(file, what, undefined, "Save the state dict of the model alone, or of what wraps it.");
    }
    saved.set(own, name);
    plain.set(own, tensor);
  }
  return plain;
}
