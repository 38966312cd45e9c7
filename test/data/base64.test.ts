/** Base64 as Python reads it. The expected values are Python's own. */
import { expect, test } from "vitest";
import { readBase64 } from "../../src/data/base64.js";

const hex = (text: string) => {
  const bytes = readBase64(text);
  return bytes && Buffer.from(bytes).toString("hex");
};

test("plain text is decoded", () => {
  expect(hex("")).toBe("");
  expect(hex("QUJD")).toBe("414243");
  expect(hex("QUI=")).toBe("4142");
  expect(hex("QQ==")).toBe("41");
});

test("characters of no meaning are ignored, and text after the padding", () => {
  expect(hex("!!!!")).toBe("");
  expect(hex("QU\nJD\n")).toBe("414243");
  expect(hex("Q-U_JD")).toBe("414243");
  expect(hex("QQ==QUJD")).toBe("41");
  expect(hex("Q=UJD")).toBe("414243");
  expect(hex("=QUJD")).toBe("414243");
  expect(hex("QUI=x")).toBe("4142");
  expect(hex("QQ=Q=")).toBe("4104");
  expect(hex("QQ=QQ")).toBe("410410");
});

test("an impossible length is none", () => {
  for (const text of ["Q", "QU", "QUJ", "abcde", "QQ=", "Q==="]) expect(hex(text)).toBeUndefined();
});
