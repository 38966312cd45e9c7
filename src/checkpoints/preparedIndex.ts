/**
 * `weights.json` of a prepared folder: where each weight of the programs lies in the file of weights beside it, with a
 * checksum for each. The file is made to be mapped: its numbers are as the backend computes with them.
 */
import { bytesOf, type DType, elementCount } from "../base/dtypes.js";
import { OpenFlamingoError } from "../base/errors.js";
import {
  faultList,
  integer,
  listOf,
  object,
  oneOf,
  type Reader,
  readFields,
  text,
  valueThat,
} from "../base/fields.js";
import { parseJsonObject } from "../base/json.js";
import { quoted } from "../base/quoted.js";

/** The file of weights, beside `weights.json`. */
export const dataFile = "weights.bin";
export const indexFile = "weights.json";
/** What a prepared folder's name ends in while it is not whole. */
export const unfinishedEnding = ".unfinished";

/** What a weight's offset is a multiple of: of a large one 64 KiB, the steps in which Windows maps files. */
export const alignmentOf = (bytes: number): number => (bytes < 2 ** 16 ? 64 : 2 ** 16);

export interface PreparedTensor {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
  /** Byte of the file of weights at which it begins. */
  readonly offset: number;
  /** Of its bytes, in hexadecimal digits. */
  readonly sha256: string;
}

export const byteLengthOf = ({ dtype, shape }: Pick<PreparedTensor, "dtype" | "shape">): number =>
  bytesOf[dtype] * elementCount(shape);

const tensor: Reader<PreparedTensor> = object({
  name: text,
  dtype: oneOf<DType>("float32", "float16", "uint8", "int8"),
  shape: listOf(integer(1, 2 ** 31)),
  offset: integer(0, Number.MAX_SAFE_INTEGER),
  sha256: valueThat<string>(
    (value) => typeof value === "string" && /^[0-9a-f]{64}$/.test(value),
    "a SHA-256 of 64 hexadecimal digits",
  ),
});
const fields = object({
  version: oneOf(1),
  bytes: integer(0, Number.MAX_SAFE_INTEGER),
  tensors: listOf(tensor),
});

/** An entry by itself, as a journal has it; undefined where it is none. */
export function readPreparedTensor(value: unknown): PreparedTensor | undefined {
  let isSound = true;
  const read = tensor(value, "", () => {
    isSound = false;
  });
  return isSound ? read : undefined;
}

export interface PreparedIndex {
  /** Of the file of weights. */
  readonly bytes: number;
  readonly tensors: ReadonlyMap<string, PreparedTensor>;
}

/** @throws OpenFlamingoError `model-invalid` with all that is wrong */
export function parsePreparedIndex(json: string, name: string): PreparedIndex {
  const invalid = (what: string, cause?: unknown) =>
    new OpenFlamingoError("model-invalid", `${name}: ${what}`, {
      hint: "The prepared folder is damaged: remove it, and prepare the model again.",
      cause,
    });
  const read = readFields(fields, parseJsonObject(json, invalid), (faults) => invalid(faultList(faults)));
  const tensors = new Map<string, PreparedTensor>();
  for (const tensor of read.tensors) {
    const isInside = tensor.offset + byteLengthOf(tensor) <= read.bytes;
    if (!isInside)
      throw invalid(`${quoted(tensor.name)} reaches beyond the ${read.bytes} bytes of ${dataFile}`);
    if (tensor.offset % alignmentOf(byteLengthOf(tensor)) !== 0)
      throw invalid(`${quoted(tensor.name)} is not aligned`);
    if (tensors.has(tensor.name)) throw invalid(`holds ${quoted(tensor.name)} twice`);
    tensors.set(tensor.name, tensor);
  }
  return { bytes: read.bytes, tensors };
}

export const showPreparedIndex = ({ bytes, tensors }: PreparedIndex): string =>
  `${JSON.stringify({ version: 1, bytes, tensors: [...tensors.values()] })}\n`;
