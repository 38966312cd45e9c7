/** The wire format against bytes worked out by hand from the encoding's description (protobuf.dev, "Encoding"). */
import { expect, test } from "vitest";
import { type Field, message } from "../../src/base/protobuf.js";

const hex = (bytes: Uint8Array) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(" ");

test.each<[string, Field, string]>([
  ["zero is written", [1, 0], "08 00"],
  ["the last number of one byte", [1, 127], "08 7f"],
  ["the first of two bytes", [1, 128], "08 80 01"],
  ["150, as the description has it", [1, 150], "08 96 01"],
  ["300", [1, 300], "08 ac 02"],
  ["a number beyond 32 bits", [1, 2 ** 40], "08 80 80 80 80 80 20"],
  ["the largest int64", [1, 2n ** 63n - 1n], "08 ff ff ff ff ff ff ff ff 7f"],
  ["−1 takes ten bytes", [1, -1], "08 ff ff ff ff ff ff ff ff ff 01"],
  ["−2", [1, -2n], "08 fe ff ff ff ff ff ff ff ff 01"],
  ["the smallest int64", [1, -(2n ** 63n)], "08 80 80 80 80 80 80 80 80 80 01"],
  ["the last field number of one byte", [15, 1], "78 01"],
  ["the first of two bytes", [16, 1], "80 01 01"],
  ["field 20, an attribute's type", [20, 2], "a0 01 02"],
  ["a float, little-endian", [2, { float: 1 }], "15 00 00 80 3f"],
  ["a float that is a whole number in JavaScript", [2, { float: -2 }], "15 00 00 00 c0"],
  ["a float is rounded to 32 bits", [2, { float: 0.1 }], "15 cd cc cc 3d"],
  ["a double, little-endian", [1, { double: 1 }], "09 00 00 00 00 00 00 f0 3f"],
  ["text", [2, "testing"], "12 07 74 65 73 74 69 6e 67"],
  ["empty text", [7, ""], "3a 00"],
  ["text is UTF-8", [1, "→"], "0a 03 e2 86 92"],
  ["bytes", [9, Uint8Array.of(0, 255)], "4a 02 00 ff"],
])("%s", (_, field, expected) => {
  expect(hex(message([field]))).toBe(expected);
});

test("a message of no fields is empty", () => {
  expect(message([])).toEqual(new Uint8Array(0));
});

test("messages lie in messages by their length", () => {
  const inner: Field = [3, message([[1, 150]])];
  expect(hex(message([inner]))).toBe("1a 03 08 96 01");
  const outer: Field = [1, message([inner, [1, 1]])];
  expect(hex(message([outer]))).toBe("0a 07 1a 03 08 96 01 08 01");
});

test("fields keep their order and may be repeated", () => {
  const fields: readonly Field[] = [2, 1, 2].map((number, i) => [number, i]);
  expect(hex(message(fields))).toBe("10 00 08 01 10 02");
});

test("a length beyond 127 takes two bytes", () => {
  const bytes = message([[1, "a".repeat(200)]]);
  expect(hex(bytes.subarray(0, 4))).toBe("0a c8 01 61");
  expect(bytes.length).toBe(203);
});
