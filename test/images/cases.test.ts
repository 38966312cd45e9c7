/** Images of public reports, with what Pillow 12.3.0 makes of them beside them. They lie where the goldens lie. */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import sharp from "sharp";
import { expect, test } from "vitest";
import { toRgb } from "../../src/images/convert.js";
import { decodeImage } from "../../src/images/decode.node.js";

const inCases = (path: string) => fileURLToPath(new URL(`../../../shared/cases/${path}`, import.meta.url));
const missing = existsSync(inCases("")) ? "" : " [SKIPPED: shared/cases is not at hand]";

test.skipIf(missing).each([
  ["bmp-offset-without-palette/offset54.bmp", "bmp-offset-without-palette/offset54.pillow.png"],
  ["jpeg-many-warnings/many.jpg", "jpeg-many-warnings/many.pillow.png"],
])(`%s has Pillow's pixels${missing}`, async (file, expected) => {
  const { data } = toRgb(await decodeImage(inCases(file)));
  const wanted = await sharp(inCases(expected)).removeAlpha().raw().toBuffer();
  expect(Buffer.compare(data, wanted)).toBe(0);
});
