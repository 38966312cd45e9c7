/** What `pillow.py` found, and the same of what is decoded here. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect } from "vitest";
import { OpenFlamingoError } from "../../../src/base/errors.js";
import { toRgb } from "../../../src/images/convert.js";
import { decodeImage } from "../../../src/images/decode.node.js";
import { sha256 } from "../goldens.js";

export interface Results {
  readonly pillow: string;
  readonly results: readonly string[];
  readonly goldens?: { readonly [file: string]: string };
}

export const readResults = (kind: string): Results =>
  JSON.parse(readFileSync(fileURLToPath(new URL(`${kind}.json`, import.meta.url)), "utf8"));

/** Mode, size, and a digest: of RGBA of all samples, of other modes of the colours; or `rejected`. */
export async function resultOf(file: Uint8Array): Promise<string> {
  try {
    const raster = await decodeImage(file);
    const { data } = raster.mode === "RGBA" ? raster : toRgb(raster);
    return `${raster.mode} ${raster.width} ${raster.height} ${sha256(data).slice(0, 16)}`;
  } catch (error) {
    if (!(error instanceof OpenFlamingoError)) throw error;
    expect(error.code).toMatch(/^image-(unreadable|unsupported)$/);
    return "rejected";
  }
}
