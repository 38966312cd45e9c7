/** JSON documents that hold their own SHA-256: one that was cut off, or changed by hand, is noticed. */
import { createHash } from "node:crypto";
import { type JsonObject, type JsonValue, parseJsonObject } from "../base/json.js";

/** The text of a document, its sum as the last key. */
export function showChecked(document: { readonly [key: string]: JsonValue }): string {
  return `${JSON.stringify({ ...document, sha256: sumOf(document) }, null, 2)}\n`;
}

/**
 * The document in a text, without its sum.
 *
 * @param fail makes the error from what is wrong
 */
export function parseChecked(text: string, fail: (what: string) => Error): JsonObject {
  const { sha256, ...document } = parseJsonObject(text, fail);
  if (sha256 !== sumOf(document)) throw fail("is not what was written: its SHA-256 is another");
  return document;
}

const sumOf = (document: JsonObject): string =>
  createHash("sha256").update(JSON.stringify(document)).digest("hex");
