/** Training data as a whole: batches, going on after a kill, ranks, faults. */
import { copyFileSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import type { Skip } from "../../src/data/skips.js";
import { dataFile, dataTokenizer, describeWithData } from "./goldenData.js";
import { tar, tarFile } from "./makeTar.js";
import { pictureOf } from "./pictures.js";
import {
  batchesOf,
  captionFilesOf,
  captionShards,
  keysOf,
  newFolder,
  openData,
  printOf,
} from "./shardFolder.js";

describeWithData("training data", () => {
  test("a pass gives every sample once, but for a last batch that is not full", async () => {
    const shards = captionShards([5, 9, 3]);
    const batches = await batchesOf(await openData({ shards, passes: 1 }));
    expect(batches).toHaveLength(4);
    const kept = await batchesOf(await openData({ shards, passes: 1, keepLast: true }));
    expect(kept.map(({ sizes }) => sizes.b)).toEqual([4, 4, 4, 4, 1]);
    const all = [0, 1, 2].flatMap((shard) => captionFilesOf(shard, [5, 9, 3][shard]!));
    expect(keysOf(kept).sort()).toEqual(
      all
        .filter(({ name }) => name.endsWith("txt"))
        .map(({ name }) => name.slice(0, -4))
        .sort(),
    );
  });

  test("a batch has rows of one length, labels, masks, and images that are flipped or not", async () => {
    const shards = captionShards([13]);
    const [batch] = await batchesOf(await openData({ shards, shuffle: 1, batch: 12 }), 1);
    const { b, t, T, S } = batch!.sizes;
    expect([b, T, S]).toEqual([12, 1, 24]);
    expect([batch!.ids.length, batch!.labels.length, batch!.attentionMask.length]).toEqual([
      b * t,
      b * t,
      b * t,
    ]);
    expect(batch!.images).toHaveLength(b * T * 3 * S * S);
    const { special } = dataTokenizer();
    for (let i = 0; i < b * t; i++) {
      const isPadding = batch!.ids[i] === special.padding;
      expect(batch!.attentionMask[i]).toBe(isPadding ? 0 : 1);
      expect(batch!.labels[i]).toBe(isPadding || batch!.ids[i] === special.image ? -100 : batch!.ids[i]);
    }
    const coins = batch!.flipped.flat();
    expect(coins).toContain(true);
    expect(coins).toContain(false);
    for (const [row, isFlipped] of coins.entries()) {
      const pixels = batch!.images.slice(row * 3 * S * S, (row + 1) * 3 * S * S);
      // Flipped back it is one of the known images.
      if (isFlipped) for (let at = 0; at < pixels.length; at += S) pixels.subarray(at, at + S).reverse();
      expect(await pictureOf(pixels)).not.toBe("unknown");
    }
  });

  test("one coin for a batch, as published, and none", async () => {
    const shards = captionShards([40]);
    const one = await batchesOf(await openData({ shards, flipWholeBatch: true, passes: 1 }));
    const coins = one.map(({ flipped }) => new Set(flipped.flat()).size);
    expect(new Set(coins)).toEqual(new Set([1]));
    expect(new Set(one.map(({ flipped }) => flipped[0]![0])).size).toBe(2);
    const none = await batchesOf(await openData({ shards, flip: false, passes: 1 }));
    expect(none.flatMap(({ flipped }) => flipped.flat())).not.toContain(true);
  });

  test("the same seed gives the same batches to the last bit, another seed others", async () => {
    const shards = captionShards([20, 20, 20]);
    const [a, b, c] = await Promise.all(
      [1, 1, 2].map(async (seed) => batchesOf(await openData({ shards, seed }), 10)),
    );
    expect(b!.map(printOf)).toEqual(a!.map(printOf));
    expect(keysOf(c!)).not.toEqual(keysOf(a!));
  });

  test("how much is decoded at a time, and ahead, changes nothing", async () => {
    const shards = captionShards([20, 20]);
    const plain = await batchesOf(await openData({ shards, decodeAhead: 1, batchesAhead: 0 }), 12);
    const ahead = await batchesOf(await openData({ shards, decodeAhead: 50, batchesAhead: 5 }), 12);
    expect(ahead.map(printOf)).toEqual(plain.map(printOf));
  });

  test("after a kill at any batch the same batches follow, also twice in a row", async () => {
    const shards = captionShards([13, 22, 7, 18]);
    // Samples that are left out are part of what is gone on with.
    writeFileSync(
      join(shards, "shard-004.tar"),
      tar([...captionFilesOf(4, 6), { name: "x.txt", data: "no image" }]),
    );
    for (const more of [{}, { resampled: true }, { flipWholeBatch: true }]) {
      const whole = await batchesOf(await openData({ shards, ...more }), 26);
      const prints = whole.map(printOf);
      for (const at of [0, 3, 18]) {
        const position = JSON.parse(JSON.stringify(whole[at]!.position));
        const rest = await batchesOf(await openData({ shards, ...more, position }), 5);
        expect(rest.map(printOf)).toEqual(prints.slice(at + 1, at + 6));
        const again = await openData({ shards, ...more, position: rest[3]!.position });
        expect((await batchesOf(again, 3)).map(printOf)).toEqual(prints.slice(at + 5, at + 8));
      }
    }
  });

  test("a position of other data is rejected, and so is what is none", async () => {
    const shards = captionShards([20]);
    const { position } = (await batchesOf(await openData({ shards }), 1))[0]!;
    await expect(openData({ shards, seed: 7, position })).rejects.toMatchObject({
      code: "usage",
      message: /other shards or options/,
    });
    const wrong = { ...position, stream: { next: [0, 0], buffer: [1], draws: -1, skip: 0 } } as never;
    await expect(openData({ shards, position: wrong })).rejects.toMatchObject({
      code: "data-invalid",
      message: /stream\.next .*stream\.buffer .*stream\.draws/,
    });
  });

  test("ranks share the shards of a pass, and each has an order and coins of its own", async () => {
    const shards = captionShards([6, 6, 6, 6, 6]);
    const ranks = await Promise.all(
      [0, 1].map(async (rank) =>
        batchesOf(await openData({ shards, rank, worldSize: 2, passes: 1, batch: 1 })),
      ),
    );
    const keys = ranks.map(keysOf);
    expect(keys.map(({ length }) => length).sort()).toEqual([12, 18]);
    expect(new Set(keys.flat()).size).toBe(30);
    await expect(openData({ shards, worldSize: 6 })).rejects.toMatchObject({
      message: /5 shards cannot be shared by 6/,
    });
    const [only] = await batchesOf(await openData({ shards, rank: 5, worldSize: 6, resampled: true }), 1);
    expect(only!.keys).toHaveLength(4);
  });

  test("a corrupt shard, a cut one, a vanished file and a wrong image are counted, named and survived", async () => {
    const folder = captionShards([12, 12, 12, 12]);
    const path = (i: number) => join(folder, `shard-00${i}.tar`);
    const whole = readFileSync(path(1));
    writeFileSync(path(1), whole.subarray(0, Math.floor(whole.length / 2)));
    writeFileSync(path(2), "<html>not found</html>");
    rmSync(path(3));
    const wrong = [
      { name: "cut.jpg", data: readFileSync(join(dataFile("pictures"), "p12.jpg")).subarray(0, 5000) },
      { name: "cut.txt", data: "an image that is cut off" },
      { name: "alone.jpg", data: "x" },
      { name: "bytes.jpg", data: readFileSync(join(dataFile("pictures"), "p00.jpg")) },
      { name: "bytes.txt", data: Uint8Array.of(0xff, 0xfe) },
      { name: "large.jpg", data: new Uint8Array(50_000) },
      { name: "large.txt", data: "too large" },
    ];
    writeFileSync(join(folder, "shard-004.tar.gz"), gzipSync(tar(wrong)));
    const skips: Skip[] = [];
    const data = await openData({
      shards: join(folder, "shard-{000..003}.tar"),
      passes: 1,
      keepLast: true,
      minShardFaults: 10,
    });
    const more = await openData({
      shards: [join(folder, "shard-000.tar"), join(folder, "shard-004.tar.gz")],
      ...{ passes: 1, keepLast: true, maxMemberBytes: 40_000, onSkip: (skip: Skip) => void skips.push(skip) },
    });
    expect(keysOf(await batchesOf(data)).filter((key) => key.startsWith("0-"))).toHaveLength(12);
    expect(data.skips()).toMatchObject({ "shard-damaged": 2, "shard-missing": 1 });
    expect([...data.skipsByShard()].map(([shard]) => shard).sort()).toEqual([path(1), path(2), path(3)]);
    expect(keysOf(await batchesOf(more))).toHaveLength(12);
    expect(more.skips()).toEqual({ "image-unreadable": 1, incomplete: 1, "text-invalid": 1, "too-large": 1 });
    expect(skips.map(({ key, shard }) => [key, shard.slice(-16)]).sort()[0]).toEqual([
      "alone",
      "shard-004.tar.gz",
    ]);
  });

  test("too many faults stop the run with what was wrong", async () => {
    const folder = newFolder();
    const bad = Array.from({ length: 40 }, (_, i) => ({ name: `bad${i}.txt`, data: "no image" }));
    writeFileSync(join(folder, "a.tar"), tar([...captionFilesOf(0, 60), ...bad]));
    const options = { shards: folder, shuffle: 1, passes: 1 };
    await expect(batchesOf(await openData({ ...options, minFaults: 10 }))).rejects.toMatchObject({
      code: "data-invalid",
      message:
        /^the data: 10 of 70 samples cannot be used \(10 incomplete\); the last one, .*a\.tar, sample "bad9": the text or the image is missing$/,
    });
    // Neither the number alone stops it, nor the share.
    expect(await batchesOf(await openData({ ...options, minFaults: 41, maxFaultShare: 0 }))).toHaveLength(15);
    expect(await batchesOf(await openData({ ...options, minFaults: 1, maxFaultShare: 0.4 }))).toHaveLength(
      15,
    );
    await expect(
      batchesOf(await openData({ ...options, minFaults: 40, maxFaultShare: 0.399 })),
    ).rejects.toThrow(/40 of 100/);
  });

  test("a damaged shard that comes in every pass is one damaged shard", async () => {
    const folder = captionShards([4, 4, 4, 4]);
    writeFileSync(join(folder, "shard-001.tar"), Buffer.concat(captionFilesOf(1, 2).map(tarFile)));
    const data = await openData({ shards: folder, passes: 10 });
    expect(await batchesOf(data)).toHaveLength(35);
    expect(data.skips()).toEqual({ "shard-damaged": 10 });
    for (const name of ["002", "003"]) writeFileSync(join(folder, `shard-${name}.tar`), "gone");
    await expect(batchesOf(await openData({ shards: folder, passes: 10 }))).rejects.toMatchObject({
      code: "data-invalid",
      message: /3 of \d shards cannot be used/,
    });
  });

  test("shards without a sample are an error", async () => {
    const folder = newFolder();
    writeFileSync(join(folder, "a.tar"), tar([]));
    await expect(batchesOf(await openData({ shards: folder }))).rejects.toMatchObject({
      code: "data-missing",
    });
  });

  test("documents come with rows of one length and zeros in the place of images that are not there", async () => {
    const folder = newFolder();
    copyFileSync(dataFile("mmc4-example.tar.gz"), join(folder, "a.tar.gz"));
    const data = await openData({
      shards: join(folder, "a.tar.gz"),
      kind: "documents",
      batch: 2,
      shuffle: 1,
      padImages: 6,
    });
    const [batch] = await batchesOf(data, 1);
    expect(batch!.sizes).toEqual({ b: 2, t: 256, T: 6, S: 24 });
    expect(batch!.imageCounts).toEqual([2, 3]);
    const perRow = 6 * 3 * 24 * 24;
    expect(batch!.images.subarray(2 * 3 * 24 * 24, perRow).every((value) => value === 0)).toBe(true);
    const tight = await openData({
      shards: join(folder, "a.tar.gz"),
      kind: "documents",
      batch: 2,
      shuffle: 1,
    });
    expect((await batchesOf(tight, 1))[0]!.sizes.T).toBe(3);
  });

  test("a reader that stops, and a signal, end all work", async () => {
    const shards = captionShards([50]);
    const data = await openData({ shards });
    await batchesOf(data, 1);
    expect(await data.batches.next()).toEqual({ value: undefined, done: true });
    const abort = new AbortController();
    const other = await openData({ shards, signal: abort.signal });
    await other.batches.next();
    abort.abort(new RangeError("enough"));
    await expect(batchesOf(other)).rejects.toThrow("enough");
    expect(other.waiting().share).toBeGreaterThanOrEqual(0);
  });
});
