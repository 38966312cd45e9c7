/** Changes to `src/images`. */
import type { Mutant } from "./mutant.js";

export const images: readonly Mutant[] = [
  {
    what: "half a pixel of the centre crop is rounded down, not to the even number",
    file: "images/preprocess.ts",
    from: "down + (down % 2)",
    to: "down",
    tests: ["images/preprocess.test.ts"],
  },
  {
    what: "the longer side is rounded, not cut",
    file: "images/preprocess.ts",
    from: "Math.trunc((size * Math.max(width, height))",
    to: "Math.round((size * Math.max(width, height))",
    tests: ["images/preprocess.test.ts"],
  },
  {
    what: "a pixel over 255 is not rounded to float32 before the mean is taken",
    file: "images/preprocess.ts",
    from: "Math.fround(Math.fround(v / 255) - m) / s",
    to: "Math.fround(v / 255 - m) / s",
    tests: ["images/preprocess.test.ts"],
  },
  {
    what: "resized bytes are cut, not rounded",
    file: "images/resize.ts",
    from: "(sum + 2 ** 21) >> 22",
    to: "sum >> 22",
    tests: ["images/resize.test.ts", "images/preprocess.test.ts"],
  },
  {
    what: "nearest samples are taken from a pixel's edge",
    file: "images/resize.ts",
    from: "let position = scale / 2;",
    to: "let position = 0;",
    tests: ["images/resize.test.ts", "images/preprocess.test.ts"],
  },
  {
    what: "the cubic kernel has a = −0.75",
    file: "images/resize.ts",
    from: "const a = -0.5;",
    to: "const a = -0.75;",
    tests: ["images/resize.test.ts", "images/preprocess.test.ts"],
  },
  {
    what: "a very tall image is resized along its rows first",
    file: "images/resize.ts",
    from: "raster.height > 100 * raster.width",
    to: "raster.height > 1000 * raster.width",
    tests: ["images/resize.test.ts"],
  },
  {
    what: "colours divided by alpha are rounded, not cut",
    file: "images/convert.ts",
    from: "Math.trunc((255 * colour) / alpha)",
    to: "Math.round((255 * colour) / alpha)",
    tests: ["images/resize.test.ts", "images/preprocess.test.ts"],
  },
  {
    what: "work in turns is not stopped by its signal",
    file: "images/turns.ts",
    from: "    signal?.throwIfAborted();\n",
    to: "",
    tests: ["images/turns.test.ts"],
  },
  {
    what: "rows of a BMP in the other order",
    file: "images/bmp/open.ts",
    from: "fromTop ? y : height - 1 - y",
    to: "fromTop ? height - 1 - y : y",
    tests: ["images/formats.test.ts"],
  },
];
