/**
 * The tensors of a torch file by name: of a bare state dict, of a training checkpoint, or of a TorchScript
 * module.
 *
 * Reference: open_flamingo/train/train.py, "load model checkpoint" (`model_state_dict`, `module.` taken out of
 * names) and train_utils.py, `filter_state_dict_to_trainable`.
 */
import { quoted } from "../../base/json.js";
import { damaged, rejected } from "../messages.js";
import {
  isModule,
  isTensor,
  kindOf,
  type ModuleRecord,
  type PickleValue,
  type TensorRecord,
} from "./records.js";

const advice =
  "Wanted is a dictionary from names to tensors, as of torch.save(model.state_dict(), path), " +
  "or a training checkpoint that holds one under model_state_dict.";

/** @param file what messages call it */
export function stateDictIn(value: PickleValue, file: string): Map<string, TensorRecord> {
  if (isModule(value)) return tensorsOf(value, file);
  const training = value instanceof Map && value.get("model_state_dict");
  const dictionary = training || value;
  if (!(dictionary instanceof Map)) {
    throw rejected(file, `holds ${kindOf(dictionary)}, not a state dict`, advice);
  }

  const tensors = new Map<string, TensorRecord>();
  for (const [key, tensor] of dictionary) {
    if (typeof key !== "string" || !isTensor(tensor)) {
      const what = `holds ${kindOf(tensor)} under ${quoted(String(key))}, where a tensor should be`;
      throw rejected(file, what, advice);
    }
    // What wraps a model for training (DDP, FSDP, activation checkpointing) leaves its mark in the names.
    const name = training ? key.replaceAll("._checkpoint_wrapped_module", "").replaceAll("module.", "") : key;
    if (tensors.has(name)) throw damaged(file, `holds the tensor ${quoted(name)} twice`);
    tensors.set(name, tensor);
  }
  return tensors;
}

/** Characters of a tensor's name: a module inside a module can make names of any length. */
const longestName = 300;

/**
 * The tensors of a module and of the modules in it; each may be met once, so that the walk is as long as the
 * file.
 */
function tensorsOf(root: ModuleRecord, file: string): Map<string, TensorRecord> {
  const tensors = new Map<string, TensorRecord>();
  const met = new Set<unknown>();
  const waiting: [prefix: string, module: ModuleRecord][] = [["", root]];
  for (const [prefix, module] of waiting) {
    const { attributes } = module;
    if (met.has(attributes)) throw rejected(file, `holds the module ${quoted(prefix)} twice`, advice);
    met.add(attributes);
    for (const [key, value] of attributes) {
      const name = `${prefix}${String(key)}`;
      if (typeof key !== "string")
        throw rejected(file, `has a name that is no text: ${quoted(name)}`, advice);
      if (tensors.has(name)) throw damaged(file, `holds the tensor ${quoted(name)} twice`);
      if (name.length > longestName) throw rejected(file, `has a name of ${name.length} characters`, advice);
      if (isTensor(value)) tensors.set(name, value);
      else if (isModule(value)) waiting.push([`${name}.`, value]);
    }
  }
  return tensors;
}
