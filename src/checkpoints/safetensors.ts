/**
 * safetensors: eight bytes with the header's length, a JSON header (name → dtype, shape, data_offsets), the
 * data.
 *
 * Format: github.com/huggingface/safetensors, README, "Format". All of its rules are checked before anything
 * is read.
 */
import { bytesOf, type DType, elementCount } from "../base/dtypes.js";
import { isObject, parseJsonObject } from "../base/json.js";
import { quoted } from "../base/quoted.js";
import { type Checkpoint, checkpointOf } from "./checkpoint.js";
import { defaultLimits, type OpenOptions } from "./limits.js";
import { damaged, rejected } from "./messages.js";
import { type ByteSource, numbersIn, utf8 } from "./source.js";
import { contiguousStrides, type TensorView } from "./view.js";

const dtypes: ReadonlyMap<unknown, DType> = new Map([
  ["F64", "float64"],
  ["F32", "float32"],
  ["F16", "float16"],
  ["BF16", "bfloat16"],
  ["I64", "int64"],
  ["I32", "int32"],
  ["I16", "int16"],
  ["I8", "int8"],
  ["U8", "uint8"],
  ["BOOL", "bool"],
]);

/**
 * Opens a safetensors file; closing the checkpoint closes `source`.
 *
 * @throws OpenFlamingoError "checkpoint-damaged" where header and file disagree, "checkpoint-rejected" for a
 * type of numbers that is not read
 */
export async function openSafetensors(source: ByteSource, { limits }: OpenOptions = {}): Promise<Checkpoint> {
  const fail = (what: string, cause?: unknown) => damaged(source.name, what, cause);
  if (source.size < 8) throw fail(`is ${source.size} bytes long; the header's length alone takes 8`);
  const length = Number(numbersIn(await source.read(0, new Uint8Array(8))).getBigUint64(0, true));
  const { headerBytes } = limits ?? defaultLimits;
  if (length > headerBytes) throw fail(`has a header of ${length} bytes; at most ${headerBytes} are read`);
  const dataStart = 8 + length;
  if (dataStart > source.size) {
    throw fail(`says its header ends at byte ${dataStart}, and ends itself at ${source.size}`);
  }

  const text = utf8(await source.read(8, new Uint8Array(length)));
  if (text === undefined) throw fail("the header is not UTF-8");
  if (text.startsWith("\ufeff")) throw fail("the header begins with a byte order mark");
  const header = parseJsonObject(text, (what, cause) => fail(`the header ${what}`, cause));
  const unusual = unusualNumber(text);
  if (unusual) {
    const { number, at } = unusual;
    throw fail(
      `the header's number ${quoted(number)}, at its character ${at}, is no size or offset in plain digits`,
    );
  }

  const ranges: { name: string; begin: number; end: number }[] = [];
  const views = new Map<string, TensorView>();
  for (const [name, entry] of Object.entries(header)) {
    if (name === "__metadata__") {
      if (!isObject(entry) || !Object.values(entry).every((value) => typeof value === "string")) {
        throw fail("__metadata__ must hold text only");
      }
      continue;
    }
    if (!isObject(entry)) throw fail(`the header's entry of ${quoted(name)} is not an object`);
    const dtype = dtypes.get(entry.dtype);
    if (dtype === undefined) {
      const known = [...dtypes.keys()].join(", ");
      const what = `${quoted(name)} has ${field("dtype", entry.dtype)}`;
      throw rejected(source.name, what, `These are read: ${known}.`);
    }
    const { shape, data_offsets: offsets } = entry;
    if (!isNaturals(shape)) throw fail(`${quoted(name)} has ${field("shape", shape)}`);
    if (!isNaturals(offsets) || offsets.length !== 2) {
      throw fail(`${quoted(name)} has ${field("data_offsets", offsets)}`);
    }
    const [begin, end] = offsets as [number, number];
    const bytes = elementCount(shape) * bytesOf[dtype];
    if (end - begin !== bytes) {
      const tensor = `${quoted(name)}, ${dtype} of ${quoted(shape)}`;
      throw fail(`${tensor}, takes ${bytes} bytes, but is given bytes ${begin} to ${end}`);
    }
    ranges.push({ name, begin, end });
    views.set(name, { dtype, shape, strides: contiguousStrides(shape), start: dataStart + begin });
  }

  // Every byte of the data belongs to exactly one tensor.
  let position = 0;
  for (const { name, begin, end } of ranges.sort((a, b) => a.begin - b.begin || a.end - b.end)) {
    if (begin < position) throw fail(`${quoted(name)} starts at byte ${begin}, inside the tensor before it`);
    if (begin > position)
      throw fail(`bytes ${position} to ${begin}, before ${quoted(name)}, are no tensor's`);
    position = end;
  }
  const data = source.size - dataStart;
  if (position !== data) throw fail(`the tensors take ${position} bytes, the file holds ${data}`);
  return checkpointOf(source, views);
}

/**
 * The first number of valid JSON that is not a whole number from 0 to 2^53 − 1 in plain digits. All of a header's are
 * sizes and offsets, and `JSON.parse` makes such of 1.0, -0 and 4.0000000000000000001, which other readers reject.
 */
function unusualNumber(json: string): { number: string; at: number } | undefined {
  for (let at = 0; at < json.length; at++) {
    if (json[at] === '"') {
      for (at++; json[at] !== '"'; at++) if (json[at] === "\\") at++;
    } else if ("-0123456789".includes(json[at]!)) {
      let end = at + 1;
      while ("+-.0123456789eE".includes(json[end] ?? "end")) end++;
      const number = json.slice(at, end);
      if (!/^\d+$/.test(number) || !Number.isSafeInteger(Number(number))) return { number, at };
      at = end - 1;
    }
  }
  return undefined;
}

/** A field of an entry in a message. */
const field = (key: string, value: unknown): string =>
  value === undefined ? `no ${key}` : `${key} ${quoted(value)}`;

const isNaturals = (value: unknown): value is number[] =>
  Array.isArray(value) && value.every((n) => Number.isSafeInteger(n) && n >= 0);
