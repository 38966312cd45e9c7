/** JPEGs damaged in many ways, always the same ones: golden inputs with bytes changed, lost and added. */
import { readFileSync } from "node:fs";
import { type Random, randomOf } from "../../fuzz/kind.js";
import { golden } from "../../goldens.js";

export interface Variant {
  readonly name: string;
  readonly file: Uint8Array;
}

/** Baseline and progressive; grey, colour and CMYK; with restart markers. */
export const bases = [
  "jpeg_base_420_q90",
  "jpeg_prog_420_q75",
  "jpeg_grey_q80",
  "jpeg_cmyk_q90",
  "jpeg_restart",
  "jpeg_422_q40_odd",
];

/** Where the first scan's data begin. */
function scanOf(file: Uint8Array): number {
  const marker = file.findIndex((byte, i) => byte === 0xff && file[i + 1] === 0xda);
  return marker + 2 + 256 * file[marker + 2]! + file[marker + 3]!;
}

const withBytes = (file: Uint8Array, at: number, removed: number, added: readonly number[] = []) =>
  Uint8Array.from([...file.subarray(0, at), ...added, ...file.subarray(at + removed)]);

type Damage = (file: Uint8Array, random: Random, scan: number) => Uint8Array;

/** `times` changes at places in the scan's data. */
const often =
  (times: number, change: (file: Uint8Array, at: number, random: Random) => Uint8Array): Damage =>
  (file, random, scan) => {
    let changed = file;
    for (let i = 0; i < times; i++)
      changed = change(changed, scan + random.below(changed.length - scan - 4), random);
    return changed;
  };

const anyBytes = (random: Random, most: number) =>
  Array.from({ length: 1 + random.below(most) }, () => random.below(256));

const damages: { readonly [name: string]: Damage } = {
  "one byte changed": often(1, (file, at, random) => withBytes(file, at, 1, [random.below(256)])),
  "60 bytes changed": often(60, (file, at, random) => withBytes(file, at, 1, [random.below(256)])),
  "bytes lost": often(1, (file, at, random) => withBytes(file, at, 1 + random.below(3))),
  "bytes lost 80 times": often(80, (file, at, random) => withBytes(file, at, 1 + random.below(3))),
  "bytes added": often(1, (file, at, random) => withBytes(file, at, 0, anyBytes(random, 4))),
  "bytes added 60 times": often(60, (file, at, random) => withBytes(file, at, 0, anyBytes(random, 4))),
  "a stretch of zeros": often(1, (file, at, random) => file.slice().fill(0, at, at + 1 + random.below(300))),
  "a marker in the data": often(1, (file, at, random) =>
    withBytes(file, at, 0, [0xff, random.pick([0xd0, 0xd3, 0xff, 0xe1, 0xfe])]),
  ),
  "cut off": (file, random, scan) => file.subarray(0, scan + random.below(file.length - scan)),
  "cut off, and ended": (file, random, scan) =>
    Uint8Array.from([...file.subarray(0, scan + random.below(file.length - scan)), 0xff, 0xd9]),
  "without its end": (file) => file.subarray(0, -2),
  "with more behind its end": (file, random) => Uint8Array.from([...file, ...anyBytes(random, 400)]),
  "restart markers changed": (file, random, scan) =>
    file.map((byte, i) =>
      i > scan && file[i - 1] === 0xff && byte >= 0xd0 && byte <= 0xd7 ? 0xd0 + random.below(8) : byte,
    ),
  "restart markers lost": (file, _, scan) =>
    file.filter((byte, i) => {
      const isMarker = (b: number | undefined) => b !== undefined && b >= 0xd0 && b <= 0xd7;
      return (
        i < scan || !((byte === 0xff && isMarker(file[i + 1])) || (file[i - 1] === 0xff && isMarker(byte)))
      );
    }),
  "a header byte changed": (file, random, scan) =>
    withBytes(file, 2 + random.below(scan - 2), 1, [random.below(256)]),
  "a header byte lost": (file, random, scan) => withBytes(file, 2 + random.below(scan - 2), 1),
};

export function jpegVariants(): Variant[] {
  return bases.flatMap((base) => {
    const file = new Uint8Array(readFileSync(golden(`preprocess/inputs/${base}.jpg`)));
    return Object.entries(damages).flatMap(([damage, apply]) =>
      [0, 1].map((i) => {
        const name = `${base}, ${damage} (${i})`;
        return { name, file: apply(file, randomOf(name, 1, 0), scanOf(file)) };
      }),
    );
  });
}
