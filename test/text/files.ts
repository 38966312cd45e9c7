/** Reads the golden tokenizers and their expected values. */
import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { golden } from "../goldens.js";

/** A golden JSON file; a name that ends in `.gz` is unpacked. */
export function readJson<T = unknown>(path: string): T {
  const bytes = readFileSync(golden(path));
  return JSON.parse((path.endsWith(".gz") ? gunzipSync(bytes) : bytes).toString("utf8"));
}
