/** Decoding on other threads, and on this one where that does not work. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { expect, test } from "vitest";
import { createDecodeThreads } from "../../src/data/decodeThreads.node.js";
import { dataFile, describeWithData } from "./goldenData.js";
import { pictureOf, testPreprocessing } from "./pictures.js";
import { batchesOf, captionShards, openData, printOf } from "./shardFolder.js";

const file = (name: string) => readFileSync(join(dataFile("pictures"), name));
const names = ["p00.jpg", "p01.png", "p05.png"];

describeWithData("threads that decode", () => {
  test("pixels are those of this thread; a bad file is none, and one that is not wanted is looked at", async () => {
    const threads = createDecodeThreads(testPreprocessing, { count: 1, maxSeconds: 60 });
    try {
      const pixels = await Promise.all(names.map((name) => threads.decode(file(name), true)));
      expect(await Promise.all(pixels.map((each) => pictureOf(each!)))).toEqual(names);
      expect(await threads.decode(file("p12.jpg").subarray(0, 4000), true)).toBeUndefined();
      expect(await threads.decode(file("p12.jpg").subarray(0, 4000), false)).toBeUndefined();
      expect(await threads.decode(file("p12.jpg"), false)).toHaveLength(0);
      expect(threads.running()).toBe(1);
    } finally {
      await threads.close();
    }
    expect(threads.running()).toBe(0);
  });

  test("batches are the same with and without", async () => {
    const shards = captionShards([20]);
    const [here, there] = await Promise.all(
      [0, 1].map(async (decodeThreads) =>
        (await batchesOf(await openData({ shards, decodeThreads }), 6)).map(printOf),
      ),
    );
    expect(there).toEqual(here);
  });

  test("where threads do not start, end or break, images are decoded here", async () => {
    const starts = [
      () => {
        throw new Error("no threads");
      },
      () => new Worker("process.exit()", { eval: true }),
      () => new Worker("throw new Error('broken')", { eval: true }),
      () => new Worker(new URL("./none.js", import.meta.url)),
    ];
    for (const start of starts) {
      const threads = createDecodeThreads(testPreprocessing, { count: 2, maxSeconds: 60, start });
      const pixels = await Promise.all(names.map((name) => threads.decode(file(name), true)));
      expect(await Promise.all(pixels.map((each) => pictureOf(each!)))).toEqual(names);
      expect(threads.running()).toBe(0);
      await threads.close();
    }
  });

  test("an aborted signal decodes nothing more", async () => {
    const threads = createDecodeThreads(testPreprocessing, {
      ...{ count: 0, maxSeconds: 60, signal: AbortSignal.abort(new RangeError("enough")) },
    });
    await expect(threads.decode(file("p00.jpg"), true)).rejects.toThrow("enough");
  });
});
