/** Bytes that a caller has in memory, whatever he wraps them in, and the names of what is something else. */

/** The same bytes, not copied; undefined for what is no bytes, such as an array of floats. */
export function bytesIn(value: unknown): Uint8Array | undefined {
  // By tags, not classes: a test runner or another thread may have its own classes.
  const tag = Object.prototype.toString.call(value).slice("[object ".length, -1);
  if (tag === "ArrayBuffer" || tag === "SharedArrayBuffer") return viewOf(value as ArrayBuffer);
  if (!ArrayBuffer.isView(value)) return undefined;
  const areBytes = ["Uint8Array", "Uint8ClampedArray", "Int8Array", "DataView"].includes(tag);
  if (!areBytes) return undefined;
  // A view whose memory is gone says that it has no bytes; its memory does not.
  return viewOf(value.buffer) && viewOf(value.buffer, value.byteOffset, value.byteLength);
}

/** @throws TypeError for memory that was given away */
const viewOf = (buffer: ArrayBufferLike, start = 0, length?: number) => new Uint8Array(buffer, start, length);

/** What a value is, with its article: "an array", "a number", "a Promise", "null". */
export function kindOf(value: unknown): string {
  if (value === null) return "null";
  if (value === undefined) return "no value";
  if (value === "") return "an empty text";
  if (Array.isArray(value)) return "an array";
  const own: unknown = typeof value === "object" ? value.constructor?.name : typeof value;
  const name = typeof own === "string" && /^\w+$/.test(own) && own !== "Object" ? own : "object";
  return `${/^[aeiou]/i.test(name) && !/^(uni|us|Uint)/i.test(name) ? "an" : "a"} ${name}`;
}
