/** Every hostile image as bytes and as a file, and what is no file but is given as one. */
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { closeSync, constants, openSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { load } from "../../src/api/load.node.js";
import type { ErrorCode } from "../../src/base/errors.js";
import { decodeImage } from "../../src/images/decode.node.js";
import { toSquare } from "../../src/images/preprocess.js";
import { bytes, temporaryFolder } from "../checkpoints/fixtures.js";
import { rejection } from "../images/rejection.js";
import { rejected } from "../reliability.js";
import { differs, expectDistinct, expectRejected, openFiles } from "./expect.js";
import { bmp, chunk, gif, gifFrame, hostileImages, jpeg, pdf, png, svg, tiff } from "./images.js";

const folder = temporaryFolder();
const expectNew = differs();

test("no two hostile images try the same or are reported the same", () => {
  expect(hostileImages.length).toBeGreaterThanOrEqual(30);
  expectDistinct(hostileImages);
});

test.each(hostileImages)("$name ($tries) is rejected by its own words", async (row) => {
  const path = join(folder, "cat.jpg"); // whatever it is: names prove nothing
  writeFileSync(path, bytes(row.bytes));
  const before = openFiles();
  const reported = await expectRejected(row, () => decodeImage(path));
  expect(reported, "the file").toContain(path);
  expectNew(reported);
  expect(openFiles(), "open files").toBe(before);
  await expectRejected(row, () => decodeImage(bytes(row.bytes)));
  rejected("Images", `${row.name}: ${row.tries}`, row.code);
});

/** The most memory that the process has had, in MiB. */
const most = (): number => process.resourceUsage().maxRSS / 1024;

test("no memory is taken for the pixels of what is rejected", async () => {
  const before = most();
  for (const row of hostileImages) await rejection(bytes(row.bytes));
  expect(most() - before).toBeLessThan(200);
});

describe("what is no file of the disk is rejected, and nothing waits for it", () => {
  const pipe = join(folder, "pipe.png");
  const link = (name: string, target: string): string => {
    const path = join(folder, name);
    symlinkSync(target, path);
    return path;
  };
  const large = join(folder, "large.png");
  writeFileSync(large, bytes(png(1, 1, "\0\0\0\0")));
  truncateSync(large, 2 ** 30 + 1); // a hole: no room on the disk is taken
  const posix = process.platform !== "win32";
  if (posix) execFileSync("mkfifo", [pipe]);
  else console.log("skipped on Windows: pipes, devices and links given as images");

  const noFile = "is a pipe, a device or a socket";
  const rows: readonly (readonly [name: string, path: string, code: ErrorCode, message: string])[] = [
    ["a folder", folder, "image-unreadable", "is a folder"],
    [
      "a file of more than 1 GiB",
      large,
      "image-unreadable",
      "has 1,073,741,825 bytes, the limit is 1,073,741,824",
    ],
    ["a path with a NUL", "cat.jpg\0.png", "image-unreadable", "cannot be read (ERR_INVALID_ARG_VALUE)"],
  ];
  const onPosix: typeof rows = !posix
    ? []
    : [
        ["a pipe that nobody writes to", pipe, "image-unreadable", noFile],
        ["a link to a pipe", link("to-pipe.png", pipe), "image-unreadable", noFile],
        ["a device that never ends", "/dev/zero", "image-unreadable", noFile],
        ["a link to a device", link("to-zero.png", "/dev/zero"), "image-unreadable", noFile],
        ["a link to nothing", link("to-nothing.png", "nothing"), "image-missing", "there is no such file"],
        ["a link to itself", link("loop.png", "loop.png"), "image-unreadable", "cannot be read (ELOOP)"],
      ];
  test.each([...rows, ...onPosix])("%s", async (what, path, code, message) => {
    const before = openFiles();
    const mostBefore = most();
    const error = await rejection(path);
    expect(most() - mostBefore, "MiB on top").toBeLessThan(200);
    expect(error).toMatchObject({ code, message: expect.stringContaining(message) });
    expect(error.message, "control characters").not.toMatch(/\p{Cc}/u);
    expect(openFiles(), "open files").toBe(before);
    rejected("Images", what, code);
  });

  test.skipIf(!posix)("a link to an image is that image", async () => {
    writeFileSync(join(folder, "true.png"), bytes(png(1, 1, "\0\x09\x08\x07")));
    const { data } = await decodeImage(link("to-true.png", "true.png"));
    expect([...data]).toEqual([9, 8, 7]);
  });

  test.skipIf(!posix)("the files and addresses that an SVG or a PDF names are not opened", async () => {
    let asked = 0;
    const server = createServer((_, answer) => answer.end(String(asked++))).listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    try {
      // Who opens the pipe to read waits there, and only then may it be opened to write without waiting.
      const opened = () => closeSync(openSync(pipe, constants.O_WRONLY | constants.O_NONBLOCK));
      for (const before of ["", "<?xml version='1.0'?>", "<!--ftypavif-->", "\xef\xbb\xbf", "\n"]) {
        await rejection(bytes(svg(pipe, address, before)));
        expect(opened).toThrow("ENXIO");
      }
      await rejection(bytes(pdf(pipe, address)));
      expect(opened).toThrow("ENXIO");
      expect(asked).toBe(0);
    } finally {
      server.close();
    }
  });
});

describe("what an image may cost", () => {
  // Sound as far as a decoder reads; to decode it takes long on any machine.
  const long = bytes(jpeg(13000, 13000));
  const never = () => new Promise<never>(() => {});

  test("an image that takes longer than allowed is rejected", async () => {
    expect(await rejection(long, { maxSeconds: 0.001 })).toMatchObject({
      code: "image-unreadable",
      message: expect.stringMatching(/^the image: was not (read|decoded) within 0.001 seconds$/),
    });
    const url = new URL("https://example.org/cat.jpg");
    expect(await rejection(url, { maxSeconds: 0.001, fetchImage: never })).toMatchObject({
      code: "network",
      message: "https://example.org/cat.jpg: was not read within 0.001 seconds",
    });
  });

  test("what fetches an image is notified when nobody waits for it any more", async () => {
    const signals: AbortSignal[] = [];
    const fetchImage = (_: URL, { signal }: { signal?: AbortSignal | undefined }) => {
      signals.push(signal!);
      return never();
    };
    await rejection(new URL("https://example.org/"), { maxSeconds: 0.001, fetchImage });
    expect(signals.map(({ aborted }) => aborted)).toEqual([true]);
  });

  test("who gives up while an image is decoded does not wait for its end", async () => {
    const controller = new AbortController();
    const decoding = decodeImage(long, { signal: controller.signal });
    setTimeout(() => controller.abort(new Error("enough")), 5);
    await expect(decoding).rejects.toThrow("enough");
  });

  test("a file of more bytes than allowed is rejected, wherever it comes from", async () => {
    const file = bytes(png(1, 1, "\0\0\0\0"));
    const uri = `data:image/png;base64,${Buffer.from(file).toString("base64")}`;
    const path = join(folder, "small.png");
    writeFileSync(path, file);
    const url = new URL("https://example.org/");
    for (const source of [file, new Blob([file]), uri, path, url]) {
      const { code, message } = await rejection(source, { maxBytes: 60, fetchImage: async () => file });
      expect([code, message]).toEqual([
        "image-unreadable",
        expect.stringMatching(/: has [0-9]+ bytes, the limit is 60$/),
      ]);
      const read = decodeImage(source, { maxBytes: file.length, fetchImage: async () => file });
      expect(await read).toMatchObject({ width: 1, height: 1 });
    }
  });

  test.each([0, -1, Number.NaN])("a limit of %s is wrong usage", async (limit) => {
    for (const name of ["maxBytes", "maxPixels", "maxSeconds"]) {
      const { code, message } = await rejection(long, { [name]: limit });
      expect([code, message]).toEqual(["usage", `${name} is ${limit}; it must be a number above 0`]);
    }
    const none = { maxBytes: Infinity, maxPixels: Infinity, maxSeconds: Infinity };
    expect(await decodeImage(bytes(png(1, 1, "\0\0\0\0")), none)).toMatchObject({ width: 1 });
  });

  test("a model is loaded with limits of its own", async () => {
    await using model = await load(undefined, { limits: { images: { maxPixels: 34 } } });
    const image = bytes(png(7, 5, `\0${"\0".repeat(21)}`.repeat(5)));
    await expect(model.caption(image)).rejects.toMatchObject({
      code: "image-unreadable",
      message: "the image: 7 × 5 is 35 pixels, the limit is 34 pixels",
    });
  });
});

describe("what looks like a bomb and is none is read", () => {
  const zeros = png(1, 1, "\0".repeat(2 ** 26)).match(/IDAT(.*)....\0\0\0\0IEND/s)![1]!;
  test.each([
    [
      "a PNG whose text is 64 MiB, compressed",
      png(1, 1, "\0\0\0\0", { extra: chunk("zTXt", `a\0\0${zeros}`) }),
      1,
      1,
    ],
    [
      "a PNG whose profile is 64 MiB, compressed",
      png(1, 1, "\0\0\0\0", { extra: chunk("iCCP", `a\0\0${zeros}`) }),
      1,
      1,
    ],
    ["a PNG with 64 MiB of samples more than it needs", png(1, 1, "\0".repeat(2 ** 26)), 1, 1],
    ["a GIF of 100,000 images", gif(3, 2, gifFrame().repeat(100_000)), 3, 2],
    ["a GIF cut off in its second image", gif(3, 2, `${gifFrame()}\x2c\0\0`), 3, 2],
    ["a GIF whose later images are huge", gif(3, 2, gifFrame() + gifFrame(60000, 50000)), 3, 2],
    ["a TIFF of 10,000 pages", tiff(10_000), 2, 1],
    ["a TIFF whose last page is followed by the first", tiff(3, {}, 8), 2, 1],
    ["a PNG of 65,535 × 1", png(65535, 1, "\0".repeat(1 + 3 * 65535)), 65535, 1],
    ["a PNG of 1 × 65,535", png(1, 65535, "\0".repeat(4 * 65535)), 1, 65535],
    ["a PNG of 1 × 1", png(1, 1, "\0\0\0\0"), 1, 1],
    ["a BMP of 1 × 1", bmp(1, 1, "\0\0\0\0"), 1, 1],
  ])("%s", async (_, file, width, height) => {
    const raster = await decodeImage(bytes(file));
    expect([raster.width, raster.height]).toEqual([width, height]);
    expect(await toSquare(raster, 224)).toMatchObject({ width: 224, height: 224 });
  });

  test("grey with alpha of 69 million pixels is read, and does not end the process", async () => {
    const side = 8300;
    const file = png(side, side, `\0${"\x50\x90".repeat(side)}`.repeat(side), { colours: 4 });
    const { mode, data } = await decodeImage(bytes(file));
    expect([mode, data.length, ...data.subarray(-4)]).toEqual([
      "LA",
      2 * side * side,
      0x50,
      0x90,
      0x50,
      0x90,
    ]);
  });
});
