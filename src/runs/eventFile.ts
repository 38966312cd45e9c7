/**
 * TensorBoard's event files: records of TensorFlow, each an `Event` message.
 *
 * Format: tensorflow/core/lib/io/record_writer.h (length, masked CRC-32C of it, data, masked CRC-32C of them),
 * core/util/event.proto, core/framework/summary.proto; texts as tensorboard/plugins/text/summary_v2.py writes them.
 */
import { type Field, message } from "../base/protobuf.js";

/** What an event says: numbers and texts by their tags. */
export type EventValues = Readonly<Record<string, number | string>>;

/** The first record of a file. @param time in seconds since 1970 */
export const firstEvent = (time: number): Uint8Array =>
  record(message([wallTime(time), [3, "brain.Event:2"]]));

/** A record with the values of a step. @param time in seconds since 1970 */
export const eventOf = (step: number, time: number, values: EventValues): Uint8Array =>
  record(
    message([
      wallTime(time),
      [2, step],
      [5, message(Object.entries(values).map((value) => [1, summary(value)]))],
    ]),
  );

const wallTime = (time: number): Field => [1, { double: time }];

function summary([tag, value]: readonly [string, number | string]): Uint8Array {
  if (typeof value === "number")
    return message([
      [1, tag],
      [2, { float: value }],
    ]);
  const plugin = message([[1, message([[1, "text"]])]]);
  const shape = message([[2, message([[1, 1]])]]);
  const stringType = 7;
  return message([
    [1, tag],
    [
      8,
      message([
        [1, stringType],
        [2, shape],
        [8, value],
      ]),
    ],
    [9, plugin],
  ]);
}

/** Data with its length and both sums. */
function record(data: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(16 + data.length);
  const numbers = new DataView(bytes.buffer);
  numbers.setBigUint64(0, BigInt(data.length), true);
  numbers.setUint32(8, maskedSum(bytes.subarray(0, 8)), true);
  bytes.set(data, 12);
  numbers.setUint32(12 + data.length, maskedSum(data), true);
  return bytes;
}

/** Bytes of a record that is read; a longer one is not ours. */
const longestRecord = 16 * 2 ** 20;

/** A record at the beginning of `bytes`: where it ends, and the step of its event (0 where it names none). */
export interface FoundRecord {
  readonly length: number;
  readonly step: number;
}

/**
 * The record that `bytes` begin with.
 *
 * @returns "incomplete": more bytes are wanted; undefined: there is none, the bytes are others
 */
export function recordIn(bytes: Uint8Array): FoundRecord | "incomplete" | undefined {
  if (bytes.length < 12) return "incomplete";
  const numbers = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const size = Number(numbers.getBigUint64(0, true));
  if (size > longestRecord || numbers.getUint32(8, true) !== maskedSum(bytes.subarray(0, 8)))
    return undefined;
  const length = 16 + size;
  if (bytes.length < length) return "incomplete";
  const data = bytes.subarray(12, 12 + size);
  if (numbers.getUint32(12 + size, true) !== maskedSum(data)) return undefined;
  return { length, step: stepOf(data) };
}

/** The field 2 of an event, which comes before all of changing length in what we write. */
function stepOf(event: Uint8Array): number {
  for (let at = 0; at < event.length; ) {
    const key = event[at++]!;
    if (key === ((1 << 3) | 1))
      at += 8; // wall_time
    else if (key === 2 << 3) {
      let step = 0;
      for (let scale = 1; at < event.length; scale *= 128) {
        step += (event[at]! & 0x7f) * scale;
        if ((event[at++]! & 0x80) === 0) break;
      }
      return step;
    } else return 0;
  }
  return 0;
}

const table = Uint32Array.from({ length: 256 }, (_, n) => {
  for (let bit = 0; bit < 8; bit++) n = n & 1 ? 0x82f63b78 ^ (n >>> 1) : n >>> 1;
  return n;
});

/** CRC-32C: Castagnoli's polynomial, lowest bit first. */
export function crc32c(bytes: Uint8Array): number {
  let crc = -1;
  for (const byte of bytes) crc = table[(crc ^ byte) & 0xff]! ^ (crc >>> 8);
  return ~crc >>> 0;
}

/** A sum that is kept beside what it is of: turned by 15 bits, and a constant added. */
function maskedSum(bytes: Uint8Array): number {
  const crc = crc32c(bytes);
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}
