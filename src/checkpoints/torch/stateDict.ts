/**
 * The tensors of a torch file by name: of a state dict, bare or in a training checkpoint, or of a TorchScript module.
 *
 * Reference: open_flamingo/train/train.py, "load model checkpoint" (`model_state_dict`); open_clip/factory.py,
 * `load_state_dict` (`state_dict`). `model` and `module` are other programs' names for the same.
 */
import { quoted } from "../../base/quoted.js";
import { damaged, rejected } from "../messages.js";
import {
  isModule,
  isTensor,
  kindOf,
  type ModuleRecord,
  type PickleValue,
  type TensorRecord,
} from "./records.js";

/** Where training checkpoints hold the state dict. */
const nestings = ["model_state_dict", "state_dict", "model", "module"];

const advice =
  "Wanted is a dictionary from names to tensors, as of torch.save(model.state_dict(), path), " +
  `or a training checkpoint that holds one under ${nestings.slice(0, -1).join(", ")} or ${nestings.at(-1)}.`;

type Dictionary = ReadonlyMap<PickleValue, PickleValue>;

/** @param file what messages call it */
export function stateDictIn(value: PickleValue, file: string): Map<string, TensorRecord> {
  if (isModule(value)) return tensorsOf(value, file);
  if (!(value instanceof Map)) throw rejected(file, `holds ${kindOf(value)}, not a state dict`, advice);
  requireNoFramework(value, file);
  const { dictionary, at } = unnested(value, file);

  const tensors = new Map<string, TensorRecord>();
  for (const [name, tensor] of dictionary) {
    requireText(name, tensor, file, at);
    if (!isTensor(tensor)) {
      const wanted = nestings.includes(name) ? "a state dict" : "a tensor";
      const what = `${at}holds ${kindOf(tensor)} under ${quoted(name)}, where ${wanted} should be`;
      throw rejected(file, what, hintOf(dictionary));
    }
    tensors.set(name, tensor);
  }
  return tensors;
}

function requireText(
  name: PickleValue,
  value: PickleValue,
  file: string,
  at: string,
): asserts name is string {
  if (typeof name === "string") return;
  const key = `${kindOf(name)}, ${String(name).slice(0, 40)},`;
  throw rejected(file, `${at}has ${key} as the name of ${kindOf(value)}`, advice);
}

/** The state dict in a training checkpoint, or `value` itself; with how messages begin on what is in it. */
function unnested(value: Dictionary, file: string): { dictionary: Dictionary; at: string } {
  const held = nestings.flatMap((key) => {
    const inner = value.get(key);
    return inner instanceof Map ? [{ dictionary: inner, at: `under ${quoted(key)} `, key }] : [];
  });
  const full = held.filter(({ dictionary }) => [...dictionary.values()].some(isTensor));
  if (full.length > 1) {
    const keys = full.map(({ key }) => quoted(key)).join(" and ");
    throw rejected(file, `holds tensors under ${keys}`, `Save the one that is meant alone. ${advice}`);
  }
  return full[0] ?? held[0] ?? { dictionary: value, at: "" };
}

/** For a dictionary that is no state dict: how to take out the one that it may hold under another name. */
function hintOf(dictionary: Dictionary): string {
  for (const [key, inner] of dictionary) {
    if (typeof key === "string" && inner instanceof Map && [...inner.values()].some(isTensor)) {
      return `There are tensors under ${quoted(key)}: save that dictionary alone with torch.save, if it is the model's.`;
    }
  }
  return advice;
}

/** What only these frameworks write, and how to get from theirs to a state dict. */
const frameworks = [
  {
    name: "DeepSpeed",
    keys: ["ds_version", "ds_config", "param_shapes", "zero_stage"],
    hint: "Run the zero_to_fp32.py that lies in its folder, and load the file that this writes.",
  },
  {
    name: "Lightning",
    keys: ["pytorch-lightning_version"],
    hint: "Save the model in the LightningModule alone: torch.save(module.model.state_dict(), path).",
  },
];

function requireNoFramework(value: Dictionary, file: string): void {
  for (const { name, keys, hint } of frameworks) {
    const key = keys.find((key) => value.has(key));
    if (key !== undefined) throw rejected(file, `is a checkpoint of ${name}: it holds ${quoted(key)}`, hint);
  }
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
      requireText(key, value, file, prefix === "" ? "" : `in ${quoted(prefix)} `);
      const name = `${prefix}${key}`;
      if (tensors.has(name)) throw damaged(file, `holds the tensor ${quoted(name)} twice`);
      if (name.length > longestName) throw rejected(file, `has a name of ${name.length} characters`, advice);
      if (isTensor(value)) tensors.set(name, value);
      else if (isModule(value)) waiting.push([`${name}.`, value]);
    }
  }
  return tensors;
}
