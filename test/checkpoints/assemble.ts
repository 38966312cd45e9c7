/**
 * Checkpoint files put together by hand, whole and broken. Byte strings are latin-1: "\x80\x02" is two bytes.
 *
 * Nothing here needs the test runner, so that the fuzzer runs without it.
 */
import { crc32 } from "node:zlib";
import type { ByteSource } from "../../src/checkpoints/source.js";

export const bytes = (latin1: string): Uint8Array => Uint8Array.from(latin1, (c) => c.charCodeAt(0));

/** An integer, little-endian. */
export const le = (value: number | bigint, length: number): string =>
  Array.from({ length }, (_, i) => String.fromCharCode(Number((BigInt(value) >> BigInt(8 * i)) & 255n))).join(
    "",
  );

export const float32 = (...values: number[]): string =>
  Buffer.from(Float32Array.from(values).buffer).toString("latin1");

/** A file in memory that remembers whether it was closed. */
export function memoryFile(content: string | Uint8Array, name = "file"): ByteSource & { closed: boolean } {
  const data = typeof content === "string" ? bytes(content) : content;
  return {
    name,
    size: data.length,
    closed: false,
    async read(offset, into) {
      if (offset < 0 || offset + into.length > data.length)
        throw new Error(`read ${offset}+${into.length} of ${data.length}`);
      into.set(data.subarray(offset, offset + into.length));
      return into;
    },
    async close() {
      this.closed = true;
    },
  };
}

// --- safetensors ---

/** A safetensors file; a header given as text is taken as it is. */
export function safetensors(header: object | string, data = ""): string {
  const text = typeof header === "string" ? header : JSON.stringify(header);
  return le(text.length, 8) + text + data;
}

// --- zip ---

export interface Entry {
  name: string;
  data: string;
  method?: number;
  flags?: number;
  /** What the local header says instead of the truth. */
  local?: { name?: string; crc?: number; size?: number; flags?: number };
  /** What the directory says instead of the truth. */
  central?: {
    crc?: number;
    size?: number;
    packed?: number;
    offset?: number;
    /** Changes the extra field. */
    extra?: (field: string) => string;
  };
}

export interface ArchiveOptions {
  /** Sizes and offsets in zip64 fields. */
  zip64?: boolean;
  comment?: string;
  /** What the end record says instead of the truth. */
  end?: { count?: number; size?: number; start?: number; comment?: number };
  /** What the zip64 end record says instead of the truth. */
  wideEnd?: { count?: number; start?: number; at?: number };
}

export function zip(
  entries: Entry[],
  { zip64 = false, comment = "", end = {}, wideEnd = {} }: ArchiveOptions = {},
) {
  let body = "";
  let directory = "";
  for (const { name, data, method = 0, flags = 0, local = {}, central = {} } of entries) {
    const offset = central.offset ?? body.length;
    const crc = crc32(Buffer.from(data, "latin1"));
    const localName = local.name ?? name;
    body +=
      `PK\x03\x04${le(20, 2)}${le(local.flags ?? flags, 2)}${le(method, 2)}${le(0, 4)}${le(local.crc ?? crc, 4)}` +
      le(local.size ?? data.length, 4).repeat(2) +
      `${le(localName.length, 2)}${le(0, 2)}${localName}${data}`;
    const size = central.size ?? data.length;
    const packed = central.packed ?? size;
    const wide = le(1, 2) + le(24, 2) + le(size, 8) + le(packed, 8) + le(offset, 8);
    const extra = (central.extra ?? ((field) => field))(zip64 ? wide : "");
    const small = (value: number) => (zip64 ? le(0xffffffff, 4) : le(value, 4));
    directory +=
      `PK\x01\x02${le(20, 2)}${le(20, 2)}${le(flags, 2)}${le(method, 2)}${le(0, 4)}${le(central.crc ?? crc, 4)}` +
      `${small(packed)}${small(size)}${le(name.length, 2)}${le(extra.length, 2)}${le(0, 10)}` +
      `${small(offset)}${name}${extra}`;
  }
  const start = body.length;
  let wide = "";
  if (zip64) {
    const count = le(wideEnd.count ?? entries.length, 8).repeat(2);
    wide =
      `PK\x06\x06${le(44, 8)}${le(45, 2)}${le(45, 2)}${le(0, 8)}${count}` +
      `${le(directory.length, 8)}${le(wideEnd.start ?? start, 8)}` +
      `PK\x06\x07${le(0, 4)}${le(wideEnd.at ?? start + directory.length, 8)}${le(1, 4)}`;
  }
  return (
    `${body}${directory}${wide}PK\x05\x06${le(0, 4)}${le(end.count ?? entries.length, 2).repeat(2)}` +
    `${le(end.size ?? directory.length, 4)}${le(end.start ?? start, 4)}` +
    `${le(end.comment ?? comment.length, 2)}${comment}`
  );
}

// --- pickle, in the opcodes of protocol 2 ---

export const pickle = (body: string): string => `\x80\x02${body}.`;
export const text = (value: string): string => {
  const encoded = Buffer.from(value).toString("latin1");
  return `X${le(encoded.length, 4)}${encoded}`;
};
export const integer = (value: number): string =>
  Math.abs(value) < 2 ** 31 ? `J${le(value, 4)}` : `\x8a\x09${le(BigInt(value), 9)}`;
export const tuple = (...items: string[]): string => `(${items.join("")}t`;
export const dictionary = (items: Record<string, string>): string =>
  `}(${Object.entries(items)
    .map(([key, value]) => text(key) + value)
    .join("")}u`;
export const orderedDict = "ccollections\nOrderedDict\n)R";

export interface TensorFixture {
  type?: string;
  key?: string;
  /** Elements of the storage. */
  size: number;
  offset?: number;
  shape: number[];
  strides: number[];
}

export const storage = (type: string, key: string, size: number): string =>
  `${tuple(text("storage"), `ctorch\n${type}\n`, text(key), text("cpu"), integer(size))}Q`;

export const tensor = ({
  type = "FloatStorage",
  key = "0",
  size,
  offset = 0,
  shape,
  strides,
}: TensorFixture) =>
  `ctorch._utils\n_rebuild_tensor_v2\n${tuple(
    storage(type, key, size),
    integer(offset),
    tuple(...shape.map(integer)),
    tuple(...strides.map(integer)),
    "\x89",
    orderedDict,
  )}R`;

/** A torch archive with storages `data/0`, `data/1`, … */
export const torchFile = (body: string, storages: string[] = [], more: Entry[] = []): string =>
  zip([
    { name: "model/data.pkl", data: pickle(body) },
    ...storages.map((data, i) => ({ name: `model/data/${i}`, data })),
    { name: "model/version", data: "3\n" },
    ...more,
  ]);
