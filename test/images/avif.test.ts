/**
 * What sharp leaves open in an AVIF: grey, its range, and colours multiplied by alpha. Made and read by Pillow 12.3.0.
 */
import { expect, test } from "vitest";
import { avifRaster } from "../../src/images/avif/raster.js";
import { decodeImage } from "../../src/images/decode.node.js";
import { atOnce } from "../../src/images/turns.js";
import { bytes } from "../checkpoints/assemble.js";
import { rejection } from "./rejection.js";

const fromBase64 = (text: string) => new Uint8Array(Buffer.from(text, "base64"));

const grey = [0, 16, 48, 100, 128, 200, 235, 255, 7, 90, 1, 2, 3, 250, 254];
const greyOfFullRange =
  "AAAAHGZ0eXBhdmlmAAAAAGF2aWZtaWYxbWlhZgAAAOltZXRhAAAAAAAAACFoZGxyAAAAAAAAAABwaWN0AAAAAAAAAAAAAAAAAAAAAA5waXRtAAAAAAABAAAAHmlsb2MAAAAARAAAAQABAAAAAQAAAQ0AAAA8AAAAKGlpbmYAAAAAAAEAAAAaaW5mZQIAAAAAAQAAYXYwMUNvbG9yAAAAAGhpcHJwAAAASWlwY28AAAAUaXNwZQAAAAAAAAAFAAAAAwAAAA5waXhpAAAAAAEIAAAADGF2MUOBABwAAAAAE2NvbHJuY2x4AAEADQAGgAAAABdpcG1hAAAAAAAAAAEAAQQBAoMEAAAARG1kYXQSAAoIGAhkwwENBqAyLhAAiGoP///96ijNVXiHpYmCat8NLV5G3t6E6ZPiS7tOBJq/i+VwV/YAJXKBu8A=";
const greyOfLimitedRange =
  "AAAAHGZ0eXBhdmlmAAAAAGF2aWZtaWYxbWlhZgAAAOltZXRhAAAAAAAAACFoZGxyAAAAAAAAAABwaWN0AAAAAAAAAAAAAAAAAAAAAA5waXRtAAAAAAABAAAAHmlsb2MAAAAARAAAAQABAAAAAQAAAQ0AAAA6AAAAKGlpbmYAAAAAAAEAAAAaaW5mZQIAAAAAAQAAYXYwMUNvbG9yAAAAAGhpcHJwAAAASWlwY28AAAAUaXNwZQAAAAAAAAAFAAAAAwAAAA5waXhpAAAAAAEIAAAADGF2MUOBABwAAAAAE2NvbHJuY2x4AAEADQAGAAAAABdpcG1hAAAAAAAAAAEAAQQBAoMEAAAAQm1kYXQSAAoIGAhkwwENBiAyLBAAiGoP///96eTIRZZdgR/Gju6OyCpJTPNG8bWVtC12juifBcFfQTXAnUTj";
const premultiplied =
  "AAAAIGZ0eXBhdmlmAAAAAGF2aWZtaWYxbWlhZk1BMUEAAAGUbWV0YQAAAAAAAAAhaGRscgAAAAAAAAAAcGljdAAAAAAAAAAAAAAAAAAAAAAOcGl0bQAAAAAAAQAAACxpbG9jAAAAAEQAAAIAAQAAAAEAAAHaAAAANAACAAAAAQAAAbwAAAAeAAAAQmlpbmYAAAAAAAIAAAAaaW5mZQIAAAAAAQAAYXYwMUNvbG9yAAAAABppbmZlAgAAAAACAABhdjAxQWxwaGEAAAAAKGlyZWYAAAAAAAAADnByZW0AAQABAAIAAAAOYXV4bAACAAEAAQAAAMNpcHJwAAAAnWlwY28AAAAUaXNwZQAAAAAAAAAFAAAAAwAAABBwaXhpAAAAAAMICAgAAAAMYXYxQ4EgAAAAAAATY29scm5jbHgAAQANAAaAAAAADnBpeGkAAAAAAQgAAAAMYXYxQ4EAHAAAAAA4YXV4QwAAAAB1cm46bXBlZzptcGVnQjpjaWNwOnN5c3RlbXM6YXV4aWxpYXJ5OmFscGhhAAAAAB5pcG1hAAAAAAAAAAIAAQQBAoMEAAIEAQWGBwAAAFptZGF0EgAKBRgIZMKgMhMQAIbSiSmkQK4g+PukEwS+H8MYEgAKCDgIZMICGg0gMiYQAACLutHglOvlh32S76gRFCRd/7DnC07TtRvhd69upqZR5R5S6g==";

test.each([
  ["full", greyOfFullRange],
  ["limited", greyOfLimitedRange],
])("grey of %s range is grey, to the byte", async (_, file) => {
  expect(await decodeImage(fromBase64(file))).toEqual({
    mode: "L",
    width: 5,
    height: 3,
    data: Uint8Array.from(grey),
  });
});

test("colours that are multiplied by alpha are divided by it", async () => {
  const { mode, data } = await decodeImage(fromBase64(premultiplied));
  expect(mode).toBe("RGBA");
  const row = [[200, 100, 50, 255], [255, 255, 255, 128], [0, 0, 0, 1], [0, 0, 0, 0], [128, 128, 128, 200]]; // biome-ignore format: pixels
  const differences = row.flat().map((value, i) => Math.abs(value - data[i]!));
  expect(Math.max(...differences)).toBeLessThanOrEqual(1);
});

test("levels outside a limited range are cut, and alpha is left as it is", () => {
  const data = Uint8Array.of(
    0,
    0,
    0,
    7,
    16,
    16,
    16,
    16,
    126,
    126,
    126,
    0,
    235,
    235,
    235,
    235,
    255,
    255,
    255,
    255,
  );
  const pixels = { mode: "RGBA", width: 5, height: 1, data } as const;
  const raster = atOnce(avifRaster(pixels, { grey: true, limited: true, premultiplied: false }));
  expect([raster.mode, ...raster.data]).toEqual([
    "RGBA",
    0,
    0,
    0,
    7,
    0,
    0,
    0,
    16,
    128,
    128,
    128,
    0,
    255,
    255,
    255,
    235,
    255,
    255,
    255,
    255,
  ]);
});

test("boxes and properties without end do not keep a reader busy", async () => {
  const be = (value: number) => String.fromCharCode(0, 0, value >> 8, value & 255);
  const box = (type: string, content: string) => {
    const size = 8 + content.length;
    return (
      String.fromCharCode(size >>> 24, (size >>> 16) & 255, (size >>> 8) & 255, size & 255) + type + content
    );
  };
  const ftyp = box("ftyp", "avif\0\0\0\0avif");
  const free = box("free", "").repeat(100_000);
  const links = `\0\0\0\0\0\x01\0\0${`\0\x01\xff${"\x01".repeat(255)}`.repeat(300)}`;
  const irot = box("ipco", box("irot", "\x01"));
  for (const content of [free, box("iprp", irot + free), box("iprp", irot + box("ipma", links))]) {
    const file = bytes(`${ftyp}${box("meta", be(0) + content)}`);
    expect((await rejection(file)).code).toBe("image-unreadable");
  }
});
