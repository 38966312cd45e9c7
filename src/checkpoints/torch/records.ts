/**
 * What a torch pickle may build: plain data and the records below. Nothing of Python's is imported or called;
 * each global that is allowed stands here with what it becomes.
 *
 * Reference: torch/_utils.py (`_rebuild_tensor_v2`, `_rebuild_parameter`), torch/serialization.py
 * (`persistent_id`); for TorchScript archives torch/csrc/jit/serialization (classes under `__torch__.`).
 */
import { bytesOf, type DType, elementCount } from "../../base/dtypes.js";
import type { OpenFlamingoError } from "../../base/errors.js";
import { quoted } from "../../base/quoted.js";

/**
 * Lists are arrays, tuples frozen arrays, dictionaries are maps (a key such as `__proto__` is then a key like any
 * other).
 */
export type PickleValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | readonly PickleValue[]
  | Map<PickleValue, PickleValue>
  | GlobalRecord
  | StorageRecord
  | TensorRecord
  | ModuleRecord;

/** An allowed name. */
export interface GlobalRecord {
  readonly kind: "global";
  readonly name: string;
}

/** A piece of memory that tensors look at; its bytes are the archive's entry `data/<key>`. */
export interface StorageRecord {
  readonly kind: "storage";
  readonly key: string;
  readonly dtype: DType;
  /** Elements. */
  readonly size: number;
}

export interface TensorRecord {
  readonly kind: "tensor";
  readonly storage: StorageRecord;
  /** Element of the storage where the tensor starts. */
  readonly offset: number;
  readonly shape: readonly number[];
  readonly strides: readonly number[];
}

/** An object of a TorchScript archive: a module with parameters and modules as its attributes. */
export interface ModuleRecord {
  readonly kind: "module";
  attributes: ReadonlyMap<PickleValue, PickleValue>;
}

/** Makes errors that name the file and the byte of the pickle. */
export interface Faults {
  /** The pickle contradicts itself, or ends too early. */
  damaged(what: string): OpenFlamingoError;
  /** The pickle asks for something that is not done. */
  rejected(what: string): OpenFlamingoError;
}

const storageTypes: ReadonlyMap<string, DType> = new Map([
  ["torch.DoubleStorage", "float64"],
  ["torch.FloatStorage", "float32"],
  ["torch.HalfStorage", "float16"],
  ["torch.BFloat16Storage", "bfloat16"],
  ["torch.LongStorage", "int64"],
  ["torch.IntStorage", "int32"],
  ["torch.ShortStorage", "int16"],
  ["torch.CharStorage", "int8"],
  ["torch.ByteStorage", "uint8"],
  ["torch.BoolStorage", "bool"],
]);

const typeNames: ReadonlySet<string> = new Set(Object.keys(bytesOf).map((dtype) => `torch.${dtype}`));

/** Makes the value of a call from its arguments. */
type Build = (given: readonly PickleValue[], faults: Faults) => PickleValue;

const builders: ReadonlyMap<string, Build> = new Map<string, Build>([
  [
    "collections.OrderedDict",
    (given, faults) => {
      if (given.length > 0) throw faults.rejected("builds an OrderedDict from something");
      return new Map();
    },
  ],
  ["torch._utils._rebuild_tensor_v2", rebuildTensor],
  [
    "torch._utils._rebuild_parameter",
    ([tensor], faults) => {
      if (!isTensor(tensor)) throw faults.damaged("makes a parameter of something that is no tensor");
      return tensor;
    },
  ],
  [
    "torch.Size",
    ([sizes], faults) => {
      if (!isNaturals(sizes)) throw faults.damaged("has a torch.Size that is no list of sizes");
      return sizes;
    },
  ],
]);

/** What an allowed name stands for (a type of numbers for its own name), undefined for all others. */
export function findGlobal(name: string): GlobalRecord | string | undefined {
  if (typeNames.has(name)) return name;
  const allowed = builders.has(name) || storageTypes.has(name) || isModuleClass(name);
  return allowed ? { kind: "global", name } : undefined;
}

const isModuleClass = (name: string) => name.startsWith("__torch__.");

/** What the pickle's call of `callee` becomes. */
export function callBuilder(callee: PickleValue, given: PickleValue, faults: Faults): PickleValue {
  const builder = isRecord(callee, "global") ? builders.get(callee.name) : undefined;
  if (builder === undefined) throw faults.rejected(`calls ${kindOf(callee)}`);
  if (!Array.isArray(given)) throw faults.damaged(`calls ${kindOf(callee)} with ${kindOf(given)}`);
  return builder(given, faults);
}

/** A new object: of TorchScript's classes only, as a record that does nothing. */
export function newModule(callee: PickleValue, given: PickleValue, faults: Faults): ModuleRecord {
  const known = isRecord(callee, "global") && isModuleClass(callee.name);
  if (!known) throw faults.rejected(`makes a new object of ${kindOf(callee)}`);
  if (!Array.isArray(given) || given.length > 0) throw faults.rejected("makes a module from something");
  return { kind: "module", attributes: new Map() };
}

/** Attributes put on an object. Those of an OrderedDict are torch's `_metadata`, which nothing here needs. */
export function setAttributes(object: PickleValue, state: PickleValue, faults: Faults): void {
  if (!(state instanceof Map) || !(object instanceof Map || isModule(object))) {
    throw faults.rejected(`sets attributes of ${kindOf(object)} from ${kindOf(state)}`);
  }
  if (isModule(object)) object.attributes = state;
}

/** The storage that a persistent id names: ("storage", type, key, device, elements). */
export function findStorage(id: PickleValue, faults: Faults): StorageRecord {
  const [tag, type, key, , size] = Array.isArray(id) && id.length === 5 ? id : [];
  const dtype = isRecord(type, "global") ? storageTypes.get(type.name) : undefined;
  if (tag !== "storage" || dtype === undefined || typeof key !== "string" || !isNatural(size)) {
    const isList = Array.isArray(id) && id.length > 0;
    const parts = isList ? id.slice(0, 6).map(kindOf).join(", ") : kindOf(id);
    throw faults.rejected(`has a persistent id that is no storage: ${parts}`);
  }
  return { kind: "storage", key, dtype, size };
}

/** (storage, offset, shape, strides, requires_grad, backward_hooks) */
function rebuildTensor(given: readonly PickleValue[], faults: Faults): TensorRecord {
  const [storage, offset, shape, strides] = given;
  if (given.length !== 6) throw faults.rejected(`builds a tensor from ${given.length} values; 6 are known`);
  if (!isRecord(storage, "storage")) throw faults.damaged(`builds a tensor on ${kindOf(storage)}`);
  if (!isNatural(offset)) throw faults.damaged("builds a tensor at an offset that is no count");
  if (!isNaturals(shape)) throw faults.damaged("builds a tensor of a shape that is no list of counts");
  if (!isNaturals(strides)) throw faults.damaged("builds a tensor with strides that are no list of counts");
  if (shape.length !== strides.length) {
    throw faults.damaged(`builds a tensor of ${shape.length} axes with ${strides.length} strides`);
  }
  const count = elementCount(shape);
  if (!Number.isSafeInteger(count)) throw faults.damaged(`builds a tensor of ${count} elements`);
  const last = shape.reduce((element, size, axis) => element + (size - 1) * strides[axis]!, offset);
  if (count > 0 && last >= storage.size) {
    throw faults.damaged(`builds a tensor that reaches element ${last} of a storage of ${storage.size}`);
  }
  if (overlaps(shape, strides)) throw faults.rejected("builds a tensor whose elements overlap");
  return { kind: "tensor", storage, offset, shape: [...shape], strides: [...strides] };
}

/**
 * Whether an axis steps on what those of smaller strides reach; such a view would be read many times over. An axis of
 * stride 0 repeats what is read once.
 */
function overlaps(shape: readonly number[], strides: readonly number[]): boolean {
  const axes = shape.map((size, axis) => ({ size, stride: strides[axis]! }));
  let reach = 0;
  return axes
    .filter(({ size, stride }) => size > 1 && stride > 0)
    .sort((a, b) => a.stride - b.stride)
    .some(({ size, stride }) => {
      const free = stride > reach;
      reach += (size - 1) * stride;
      return !free;
    });
}

export const isTensor = (value: PickleValue | undefined): value is TensorRecord => isRecord(value, "tensor");

/** Whether items can be appended to `value`: to a tuple they cannot. */
export const isList = (value: PickleValue): value is PickleValue[] =>
  Array.isArray(value) && !Object.isFrozen(value);

export const isModule = (value: PickleValue | undefined): value is ModuleRecord => isRecord(value, "module");

function isRecord<Kind extends string>(
  value: PickleValue | undefined,
  kind: Kind,
): value is Extract<PickleValue, { kind: Kind }> {
  return typeof value === "object" && value !== null && "kind" in value && value.kind === kind;
}

const isNatural = (value: PickleValue | undefined): value is number =>
  Number.isSafeInteger(value) && Number(value) >= 0;

/** Sizes or strides; torch has at most 64 axes, and a short file could use one long list a million times. */
const isNaturals = (value: PickleValue | undefined): value is number[] =>
  Array.isArray(value) && value.length <= 64 && value.every(isNatural);

/** What a message calls a value. */
export function kindOf(value: PickleValue | undefined): string {
  if (value === null || value === undefined) return "nothing";
  if (value instanceof Uint8Array) return "bytes";
  if (Array.isArray(value)) return Object.isFrozen(value) ? "a tuple" : "a list";
  if (value instanceof Map) return "a dictionary";
  if (typeof value === "object" && "kind" in value)
    return value.kind === "global" ? quoted(value.name) : `a ${value.kind}`;
  return typeof value === "string" ? "text" : typeof value === "boolean" ? "a truth value" : "a number";
}
