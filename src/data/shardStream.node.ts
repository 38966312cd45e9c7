/** The samples of shards as a stream: from options to what `sampleStream.ts` asks for. */
import { OpenFlamingoError } from "../base/errors.js";
import { randomStream } from "../base/random.js";
import { openShard } from "./openShard.node.js";
import type { CheckedOptions } from "./options.js";
import { createSampleStream, type SampleStream, type StreamState } from "./sampleStream.js";
import { groupSamples } from "./samples.js";
import { type Shard, shardName } from "./shardList.node.js";
import { resampledShards, shardOrder, splitShards } from "./shardOrder.js";
import type { Skip } from "./skips.js";
import { readTar } from "./tar.node.js";

/**
 * @param options.state from which the stream goes on
 */
export function openShardStream(
  shards: readonly Shard[],
  options: CheckedOptions,
  { state, signal }: { readonly state: StreamState | undefined; readonly signal: AbortSignal },
): SampleStream {
  const { kind, seed, rank, worldSize, shuffle, shuffleInitial, maxMemberBytes, network } = options;
  const order = remembered((pass) => ordered(shards.length, pass, options));
  const random = randomStream(seed, `data ${kind} shuffle, rank ${rank} of ${worldSize}`);
  return createSampleStream({
    shardAt: (pass, place) => order(pass)[place],
    nameOf: (shard) => shardName(shards[shard]!),
    read: (shard, signal) =>
      groupSamples(
        readTar(openShard(shards[shard]!, { ...network, signal }), {
          name: shardName(shards[shard]!),
          maxMemberBytes,
        }),
      ),
    faultOf,
    shuffle: { size: shuffle, initial: Math.min(shuffle, shuffleInitial) },
    maxBufferBytes: options.maxBufferBytes,
    below: (draw, count) => Math.floor(random.uniform(draw) * count),
    passes: options.passes,
    state,
    signal,
  });
}

/** The shards of this rank in a pass, by their numbers. */
function ordered(
  count: number,
  pass: number,
  { seed, rank, worldSize, resampled }: CheckedOptions,
): number[] {
  const all = Array.from({ length: count }, (_, i) => i);
  if (!resampled) return splitShards(shardOrder(all, { seed, pass }), { rank, worldSize });
  // As many as a rank's share has, so that a pass is the same amount of data. Passes count one up: ranks are far apart.
  const drawn = resampledShards(all, { seed: seed + 2 ** 24 * rank, pass });
  return Array.from({ length: Math.ceil(count / worldSize) }, () => drawn.next().value);
}

/** Remembers the two newest results: a buffer holds samples of the pass before. */
function remembered(make: (pass: number) => number[]): (pass: number) => number[] {
  const known = new Map<number, number[]>();
  return (pass) => {
    const found = known.get(pass) ?? make(pass);
    known.set(pass, found);
    if (known.size > 2) known.delete(known.keys().next().value!);
    return found;
  };
}

/** What an error means for a shard of which so many samples were read. */
function faultOf(error: unknown, shard: string, samples: number): Skip | undefined {
  if (!(error instanceof OpenFlamingoError)) return undefined;
  if (!["data-missing", "data-invalid", "network"].includes(error.code)) return undefined;
  const cause = error.code === "data-invalid" || samples > 0 ? "shard-damaged" : "shard-missing";
  return { cause, shard, key: undefined, what: error.message };
}
