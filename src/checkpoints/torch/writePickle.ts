/**
 * Writes the pickle of a torch archive: plain data and tensors, as `torch.save` does, so that `torch.load` reads it, also
 * with `weights_only`.
 *
 * Format: Python's Lib/pickletools.py, protocol 2; torch/serialization.py, `persistent_id`; torch/_utils.py,
 * `_rebuild_tensor_v2`.
 */
import { contiguousStrides } from "../view.js";
import { dtypeOf, type WrittenTensor } from "../writtenTensor.js";

/**
 * A value of Python's. Whole numbers become `int`, others `float`; `{ float }` is a `float` that may be whole. Maps become
 * dictionaries, in their order.
 */
export type TorchValue =
  | null
  | boolean
  | number
  | string
  | { readonly float: number }
  | { readonly tuple: readonly TorchValue[] }
  | { readonly orderedDict: ReadonlyMap<string, TorchValue> }
  | { readonly tensor: WrittenTensor }
  | readonly TorchValue[]
  | ReadonlyMap<string | number, TorchValue>;

const storageTypes = {
  float32: "FloatStorage",
  float16: "HalfStorage",
  bfloat16: "BFloat16Storage",
  int64: "LongStorage",
} as const;

/** @returns the pickle, and the tensors in the order of their storages: the first is the archive's `data/0` */
export function pickle(value: TorchValue): { bytes: Uint8Array; tensors: readonly WrittenTensor[] } {
  const tensors: WrittenTensor[] = [];
  const out: number[] = [];
  const put = (...bytes: number[]) => {
    for (const byte of bytes) out.push(byte);
  };
  const number = (bytes: number, set: (view: DataView) => void) => {
    const view = new DataView(new ArrayBuffer(bytes));
    set(view);
    put(...new Uint8Array(view.buffer));
  };
  const global = (module: string, member: string) => {
    put(GLOBAL, ...utf8.encode(`${module}\n${member}\n`));
  };

  const int = (value: number) => {
    if (value >= 0 && value < 2 ** 8) put(BININT1, value);
    else if (value >= -(2 ** 31) && value < 2 ** 31) {
      put(BININT);
      number(4, (view) => view.setInt32(0, value, true));
    } else {
      put(LONG1, 8);
      number(8, (view) => view.setBigInt64(0, BigInt(value), true));
    }
  };
  const float = (value: number) => {
    put(BINFLOAT);
    number(8, (view) => view.setFloat64(0, value)); // the one number of a pickle that is big-endian
  };
  const text = (value: string) => {
    const bytes = utf8.encode(value);
    put(BINUNICODE);
    number(4, (view) => view.setUint32(0, bytes.length, true));
    put(...bytes);
  };
  const tuple = (items: readonly TorchValue[]) => {
    if (items.length === 0) return put(EMPTY_TUPLE);
    put(MARK);
    items.forEach(write);
    put(TUPLE);
  };
  const items = (entries: ReadonlyMap<string | number, TorchValue>) => {
    if (entries.size === 0) return;
    put(MARK);
    for (const [key, item] of entries) {
      write(key);
      write(item);
    }
    put(SETITEMS);
  };
  const orderedDict = () => {
    global("collections", "OrderedDict");
    put(EMPTY_TUPLE, REDUCE);
  };
  const tensor = (value: WrittenTensor) => {
    const key = String(tensors.push(value) - 1);
    const { shape, data } = value;
    global("torch._utils", "_rebuild_tensor_v2");
    put(MARK);
    put(MARK); // the persistent id: "storage", its type, its key, its device, its elements
    text("storage");
    global("torch", storageTypes[dtypeOf(value)]);
    text(key);
    text("cpu");
    int(data.length);
    put(TUPLE, BINPERSID);
    int(0); // where the tensor starts in its storage
    tuple(shape);
    tuple(contiguousStrides(shape));
    put(NEWFALSE); // it wants no gradient
    orderedDict(); // it has no hooks
    put(TUPLE, REDUCE);
  };

  function write(value: TorchValue): void {
    if (value === null) put(NONE);
    else if (typeof value === "boolean") put(value ? NEWTRUE : NEWFALSE);
    else if (typeof value === "number") Number.isSafeInteger(value) ? int(value) : float(value);
    else if (typeof value === "string") text(value);
    else if (isMap(value)) {
      put(EMPTY_DICT);
      items(value);
    } else if (isList(value)) {
      put(EMPTY_LIST);
      if (value.length === 0) return;
      put(MARK);
      value.forEach(write);
      put(APPENDS);
    } else if ("float" in value) float(value.float);
    else if ("tuple" in value) tuple(value.tuple);
    else if ("tensor" in value) tensor(value.tensor);
    else {
      orderedDict();
      items(value.orderedDict);
    }
  }

  put(PROTO, 2);
  write(value);
  put(STOP);
  return { bytes: Uint8Array.from(out), tensors };
}

const utf8 = new TextEncoder();
const isMap = (value: object): value is ReadonlyMap<string | number, TorchValue> => value instanceof Map;
const isList = (value: TorchValue): value is readonly TorchValue[] => Array.isArray(value);

// Opcodes, by the names of pickletools.
const [PROTO, STOP, MARK, NONE, NEWTRUE, NEWFALSE] = [0x80, 0x2e, 0x28, 0x4e, 0x88, 0x89] as const;
const [BININT1, BININT, LONG1, BINFLOAT, BINUNICODE] = [0x4b, 0x4a, 0x8a, 0x47, 0x58] as const;
const [EMPTY_TUPLE, TUPLE, EMPTY_LIST, APPENDS, EMPTY_DICT, SETITEMS] = [
  0x29, 0x74, 0x5d, 0x65, 0x7d, 0x75,
] as const;
const [GLOBAL, BINPERSID, REDUCE] = [0x63, 0x51, 0x52] as const;
