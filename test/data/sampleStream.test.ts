/** The order of samples, and going on from a noted state. */
import { expect, test } from "vitest";
import { OpenFlamingoError } from "../../src/base/errors.js";
import { randomStream } from "../../src/base/random.js";
import {
  createSampleStream,
  type Drawn,
  type StreamOptions,
  type StreamState,
} from "../../src/data/sampleStream.js";

/** Shards of different lengths, whose samples have different sizes. */
const lengths = [7, 1, 23, 0, 12, 40];
const random = randomStream(5, "test");

async function* samplesOf(shard: number) {
  for (let i = 0; i < lengths[shard]!; i++) {
    const data = new Uint8Array((7 * i + shard) % 11);
    yield { key: `${shard}/${i}`, fields: new Map([["txt", data]]), tooLarge: [] };
  }
}

const options = (more: Partial<StreamOptions> = {}): StreamOptions => ({
  shardAt: (pass, place) => (place < lengths.length ? (place + pass) % lengths.length : undefined),
  nameOf: (shard) => `shard ${shard}`,
  read: samplesOf,
  faultOf: (error, shard) =>
    error instanceof OpenFlamingoError
      ? { cause: "shard-damaged", shard, key: undefined, what: "cut" }
      : undefined,
  shuffle: { size: 16, initial: 8 },
  maxBufferBytes: 1e9,
  below: (draw, count) => Math.floor(random.uniform(draw) * count),
  passes: Number.POSITIVE_INFINITY,
  ...more,
});

/** So many draws from a state, and the state behind each of them. */
async function draw(count: number, given: StreamOptions) {
  const stream = createSampleStream(given);
  const found: { readonly key: string; readonly draw: number; readonly state: StreamState }[] = [];
  for await (const { sample, draw } of stream.samples) {
    found.push({ key: sample.key, draw, state: JSON.parse(JSON.stringify(stream.stateBefore(draw + 1))) });
    if (found.length === count) break;
  }
  return found;
}

const without = (found: Awaited<ReturnType<typeof draw>>) => found.map(({ key, draw }) => `${draw} ${key}`);

test("a pass gives every sample once, in another order than they lie", async () => {
  const keys = (await draw(1e6, options({ passes: 1 }))).map(({ key }) => key);
  const all: string[] = [];
  for (const shard of lengths.keys()) for await (const { key } of samplesOf(shard)) all.push(key);
  expect(keys).not.toEqual(all);
  expect(keys.sort()).toEqual(all.sort());
});

test("a buffer of one keeps the order", async () => {
  const keys = (await draw(31, options({ shuffle: { size: 1, initial: 1 } }))).map(({ key }) => key);
  expect(keys.slice(0, 9)).toEqual(
    [...lengths.keys()]
      .slice(0, 2)
      .flatMap((s) => Array.from({ length: lengths[s]! }, (_, i) => `${s}/${i}`))
      .concat("2/0"),
  );
});

test("from every state the same samples follow, also from a state of what went on from a state", async () => {
  for (const more of [{}, { maxBufferBytes: 40 }, { shuffle: { size: 300, initial: 100 } }]) {
    const whole = await draw(2300, options(more));
    for (const at of [0, 1, 8, 90, 999, 1000, 1001, 1700, 2200]) {
      const rest = await draw(60, options({ ...more, state: whole[at]!.state }));
      expect(without(rest)).toEqual(without(whole.slice(at + 1, at + 61)));
      const again = await draw(20, options({ ...more, state: rest[9]!.state }));
      expect(without(again)).toEqual(without(whole.slice(at + 11, at + 31)));
    }
  }
});

test("a state holds no bytes: three numbers a sample in the buffer", async () => {
  const { state } = (await draw(1500, options())).at(-1)!;
  expect(Object.keys(state)).toEqual(["next", "buffer", "draws", "skip"]);
  expect(state.buffer.length % 3).toBe(0);
  expect(state.buffer.length).toBeLessThanOrEqual(48);
  expect(state.draws + state.skip).toBe(1500);
});

test("the buffer does not grow beyond its bytes, and still gives everything", async () => {
  let [inBuffer, most] = [0, 0];
  async function* counted(shard: number) {
    for await (const sample of samplesOf(shard)) {
      inBuffer += sample.fields.get("txt")!.length;
      most = Math.max(most, inBuffer);
      yield sample;
    }
  }
  const stream = createSampleStream(options({ read: counted, passes: 1, maxBufferBytes: 40 }));
  let count = 0;
  for await (const { sample } of stream.samples) {
    inBuffer -= sample.fields.get("txt")!.length;
    count++;
  }
  expect(count).toBe(lengths.reduce((a, b) => a + b));
  expect(most).toBeLessThanOrEqual(40 + 10);
});

const cut = async function* (shard: number) {
  let count = 0;
  for await (const sample of samplesOf(shard)) {
    if (shard === 2 && ++count === 5)
      throw new OpenFlamingoError("data-invalid", "a cut shard", { hint: "none" });
    yield sample;
  }
};

test("a shard that breaks off is named, once, and what came before is used", async () => {
  const stream = createSampleStream(options({ read: cut, passes: 1 }));
  const found: Drawn[] = [];
  for await (const each of stream.samples) found.push(each);
  expect(found.filter(({ shard }) => shard === "shard 2")).toHaveLength(4);
  expect([...found, stream.rest()].flatMap(({ faults }) => faults.map(({ shard }) => shard))).toEqual([
    "shard 2",
  ]);
  expect([...found, stream.rest()].flatMap(({ opened }) => opened)).toEqual(
    lengths.map((_, i) => `shard ${i}`),
  );
});

test("a fault in the last shard is not lost", async () => {
  const order = [0, 1, 2];
  const stream = createSampleStream(
    options({ read: cut, passes: 1, shardAt: (_, place) => order[place], shuffle: { size: 1, initial: 1 } }),
  );
  for await (const each of stream.samples) expect(each.faults).toEqual([]);
  expect(stream.rest().faults).toHaveLength(1);
});

test("samples of a buffer whose shard is gone are missing, and said to be", async () => {
  const before = await draw(10, options({ shuffle: { size: 12, initial: 12 } }));
  async function* gone(shard: number) {
    if (shard === 0) throw new OpenFlamingoError("data-missing", "no such shard", { hint: "none" });
    yield* samplesOf(shard);
  }
  const stream = createSampleStream(
    options({ read: gone, shuffle: { size: 12, initial: 12 }, state: before.at(-1)!.state }),
  );
  const found: Drawn[] = [];
  for await (const each of stream.samples) {
    found.push(each);
    if (found.length === 30) break;
  }
  expect(found.some(({ sample }) => sample.key.startsWith("0/"))).toBe(false);
  expect(found).toHaveLength(30);
});

test("an error that is no fault of the data ends the stream", async () => {
  // biome-ignore lint/correctness/useYield: it fails before.
  const broken = async function* () {
    throw new RangeError("a bug");
  };
  await expect(draw(1, options({ read: broken }))).rejects.toThrow(RangeError);
});

test("shards without a sample end the stream with an error", async () => {
  const empty = options({ read: async function* () {} });
  await expect(draw(1, empty)).rejects.toMatchObject({
    code: "data-missing",
    message: /no shard has a sample/,
  });
});

test("an aborted signal ends the stream with its reason", async () => {
  const abort = new AbortController();
  const stream = createSampleStream(options({ signal: abort.signal }));
  await stream.samples.next();
  abort.abort(new RangeError("enough"));
  await expect(
    (async () => {
      for await (const _ of stream.samples);
    })(),
  ).rejects.toThrow("enough");
});
