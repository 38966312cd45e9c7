/** Which shards are read in which order, compared with the reference implementation's. */
import { expect, test } from "vitest";
import { pythonRandom } from "../../src/base/pythonRandom.js";
import { expandBraces } from "../../src/data/braces.js";
import { epochSize, resampledShards, shardOrder, splitShards } from "../../src/data/shardOrder.js";
import { shuffled } from "../../src/data/shuffle.js";
import { compared } from "../parity.js";
import { describeWithData, readData } from "./goldenData.js";

interface Golden {
  readonly detshuffle: readonly { shards: number; seed: number; epoch: number; order: number[] }[];
  readonly detshuffle_small_buffers: readonly {
    n: number;
    bufsize: number;
    initial: number;
    seed: number;
    order: number[];
  }[];
  readonly resampled: readonly { shards: number; worker_seed: number; epoch: number; first: number[] }[];
  readonly brace: Readonly<Record<string, string[]>>;
  readonly epoch_sizes: readonly {
    num_samples: number;
    batch_size: number;
    world_size: number;
    workers: number;
    floor: boolean;
    worker_batches: number;
    num_batches: number;
    num_samples_out: number;
  }[];
}

const numbers = (count: number) => Array.from({ length: count }, (_, i) => i);

describeWithData("shards.json", () => {
  const golden = () => readData<Golden>("shards.json");

  test("a pass has the reference implementation's order for its seed and number", () => {
    for (const { shards, seed, epoch, order } of golden().detshuffle) {
      expect(shardOrder(numbers(shards), { seed, pass: epoch })).toEqual(order);
      compared("training data/order of shards", { cases: 1, values: shards });
    }
  });

  test("so it has where the buffer is smaller than the list", () => {
    for (const { n, bufsize, initial, seed, order } of golden().detshuffle_small_buffers) {
      const { below } = pythonRandom(seed);
      expect([...shuffled(numbers(n), { size: bufsize, initial, below })]).toEqual(order);
    }
  });

  test("shards drawn with replacement are the reference implementation's", () => {
    for (const { shards, worker_seed, epoch, first } of golden().resampled) {
      const drawn = resampledShards(numbers(shards), { seed: worker_seed, pass: epoch });
      expect(first.map(() => drawn.next().value)).toEqual(first);
      compared("training data/shards with replacement", { cases: 1, values: first.length });
    }
  });

  test("braces stand for the same names", () => {
    for (const [pattern, names] of Object.entries(golden().brace))
      expect(expandBraces(pattern)).toEqual(names);
  });

  test("an epoch has the same number of batches", () => {
    for (const each of golden().epoch_sizes) {
      const { num_samples, batch_size: batch, world_size: worldSize, workers, floor: down } = each;
      expect(epochSize(num_samples, { batch, worldSize, workers, down })).toEqual({
        workerBatches: each.worker_batches,
        batches: each.num_batches,
        samples: each.num_samples_out,
      });
    }
  });
});

test("ranks and workers share all shards, each of which one reads", () => {
  const shards = numbers(23);
  const all = numbers(3).flatMap((rank) =>
    numbers(2).map((worker) => splitShards(shards, { rank, worldSize: 3, worker, workers: 2 })),
  );
  expect(all[0]).toEqual([0, 6, 12, 18]);
  expect(all[1]).toEqual([3, 9, 15, 21]);
  expect(all[2]).toEqual([1, 7, 13, 19]);
  expect(all.flat().sort((a, b) => a - b)).toEqual(shards);
});
