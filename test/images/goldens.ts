/** The goldens of preprocessing, as far as they are at hand: cases.json, and photographs. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { golden, hasGolden } from "../goldens.js";

interface Results {
  expected_sha256: string;
  tensor_sha256: string;
}

interface Case extends Results {
  id: string;
  file: string;
  pil_format: string;
  pil_mode: string;
  size: [number, number];
  image_size: number;
  expected: string;
  native_sha256: string;
  rgb_sha256: string;
  rgb_first?: Results;
}

interface Cases {
  cases: Case[];
  crops: {
    size: [number, number];
    image_size: number;
    resized: [number, number];
    left: number;
    top: number;
  }[];
  errors: { file: string; note: string }[];
}

interface Photo extends Results {
  file: string;
  pil_mode: string;
  rgb_sha256: string;
}

const read = <T>(path: string): T | undefined =>
  hasGolden(path) ? (JSON.parse(readFileSync(golden(path), "utf8")) as T) : undefined;

const all = read<Cases>("preprocess/cases.json");
const isThere = ({ file }: { file: string }) => hasGolden(`preprocess/${file}`);

/** Why a test is skipped, to stand in its name; empty where the goldens are at hand. */
export const missing = all ? "" : " [SKIPPED: goldens/preprocess is not at hand]";
export const missingPhotos = hasGolden("photos/photos.json")
  ? ""
  : " [SKIPPED: goldens/photos is not at hand]";

const here = (all?.cases ?? []).filter(isThere);

/** All but AVIF, whose decoders differ: there a difference is measured, not equality. */
export const cases = here.filter(({ pil_format }) => pil_format !== "AVIF");
export const avif = here.filter(({ pil_format }) => pil_format === "AVIF");
export const crops = all?.crops ?? [];
export const errors = (all?.errors ?? []).filter(isThere);
export const photos = (read<Photo[]>("photos/photos.json") ?? []).filter(({ file }) =>
  hasGolden(`photos/${file}`),
);

/** The reference implementation's mean and standard deviation (OpenAI's CLIP). */
export const mean = [0.48145466, 0.4578275, 0.40821073] as const;
export const std = [0.26862954, 0.26130258, 0.27577711] as const;

export function sha256(values: Uint8Array | Uint16Array | Float32Array): string {
  return createHash("sha256")
    .update(new Uint8Array(values.buffer, values.byteOffset, values.byteLength))
    .digest("hex");
}
