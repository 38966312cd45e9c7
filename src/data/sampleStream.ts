/**
 * The samples of all shards in the order in which they are trained on, drawn from a shuffle buffer; and where the stream
 * is, as a value from which it goes on with the same samples.
 *
 * A sample is known by three numbers: the pass through the shards, the shard's place in the order of that pass, and the
 * sample's place in the shard. The state of the stream is the address of the next sample to be read, the addresses of
 * those in the buffer, and how many were drawn: no bytes. Every draw is a function of its number.
 */
import { OpenFlamingoError } from "../base/errors.js";
import type { RawSample } from "./samples.js";
import { itemsToTake, type ShuffleSize, take } from "./shuffle.js";
import type { Skip } from "./skips.js";

/** A JSON value. */
export interface StreamState {
  /** The next sample to be read: pass, place of its shard, place in the shard. */
  readonly next: readonly [pass: number, place: number, sample: number];
  /** Addresses of the samples in the buffer, three numbers each, in the buffer's order. */
  readonly buffer: readonly number[];
  /** How many samples had been drawn when this was noted. */
  readonly draws: number;
  /** How many were drawn since. */
  readonly skip: number;
}

export const firstState: StreamState = { next: [0, 0, 0], buffer: [], draws: 0, skip: 0 };

/** A sample as it is drawn. */
export interface Drawn {
  readonly sample: RawSample;
  readonly shard: string;
  /** Its number, from 0. */
  readonly draw: number;
  /** The shards that were opened since the draw before, and what was wrong with them. */
  readonly opened: readonly string[];
  readonly faults: readonly Skip[];
}

export interface StreamOptions {
  /** The number of the shard at a place of a pass; undefined behind the last one. */
  readonly shardAt: (pass: number, place: number) => number | undefined;
  /** What messages call a shard. */
  readonly nameOf: (shard: number) => string;
  /** The samples of a shard, in their order. */
  readonly read: (shard: number, signal: AbortSignal | undefined) => AsyncGenerator<RawSample, void>;
  /** What is left out of a shard that cannot be read to its end; undefined for an error that is no fault of the data. */
  readonly faultOf: (error: unknown, shard: string, samples: number) => Skip | undefined;
  readonly shuffle: ShuffleSize;
  /** The buffer does not grow while it holds so many bytes. */
  readonly maxBufferBytes: number;
  /** A random whole number from 0 to below `count`, for draw number `draw`. */
  readonly below: (draw: number, count: number) => number;
  /** How many passes there are; Infinity for a stream without an end. */
  readonly passes: number;
  readonly state?: StreamState | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface SampleStream {
  /** To be read once. @throws OpenFlamingoError `data-missing` when a whole pass has no sample */
  readonly samples: AsyncGenerator<Drawn, void>;
  /** What was opened after the last draw, at the end of the stream. */
  rest(): Pick<Drawn, "opened" | "faults">;
  /** The state in which `draw` is the next one. Asked for in rising order, from the state that was given on. */
  stateBefore(draw: number): StreamState;
}

interface Entry {
  readonly pass: number;
  readonly place: number;
  readonly number: number;
  readonly shard: string;
  readonly sample: RawSample;
}

/** Between two notes of the state a run that goes on must read again, without decoding. */
const drawsBetweenNotes = 1000;

export function createSampleStream(options: StreamOptions): SampleStream {
  const { state = firstState, shuffle, maxBufferBytes, below } = options;
  const notes: StreamState[] = [{ ...state, skip: 0 }];
  const events = { opened: [] as string[], faults: [] as Skip[] };
  const taken = () => {
    const { opened, faults } = events;
    Object.assign(events, { opened: [], faults: [] });
    return { opened, faults };
  };

  async function* draw(): AsyncGenerator<Drawn, void> {
    const buffer = await rebuild(state.buffer, options, events);
    const source = readFrom(state.next, options, events);
    let hasMore = true;
    let bytes = buffer.reduce((sum, { sample }) => sum + bytesOf(sample), 0);
    let next = state.next;
    try {
      for (let draw = state.draws; ; draw++) {
        if (draw > notes.at(-1)!.draws && draw % drawsBetweenNotes === 0) {
          notes.push({ next, buffer: buffer.flatMap(addressOf), draws: draw, skip: 0 });
        }
        for (let count = itemsToTake(buffer.length, shuffle); hasMore && count > 0; count--) {
          if (bytes >= maxBufferBytes && buffer.length > 0) break;
          const { value, done } = await source.next();
          if (done) hasMore = false;
          else {
            buffer.push(value);
            bytes += bytesOf(value.sample);
            next = [value.pass, value.place, value.number + 1];
          }
        }
        if (buffer.length === 0) return;
        const { sample, shard } = take(buffer, below(draw, buffer.length));
        bytes -= bytesOf(sample);
        // What was drawn before the state was asked for is drawn again, and given to nobody.
        if (draw < state.draws + state.skip) taken();
        else yield { sample, shard, draw, ...taken() };
      }
    } finally {
      await source.return();
    }
  }

  return {
    samples: draw(),
    rest: taken,
    stateBefore(draw) {
      while (notes.length > 1 && notes[1]!.draws <= draw) notes.shift();
      return { ...notes[0]!, skip: draw - notes[0]!.draws };
    },
  };
}

const addressOf = ({ pass, place, number }: Entry) => [pass, place, number];

const bytesOf = ({ fields }: RawSample) => [...fields.values()].reduce((sum, data) => sum + data.length, 0);

/** All samples from an address on, shard by shard and pass by pass. */
async function* readFrom(
  [firstPass, firstPlace, firstSample]: StreamState["next"],
  { shardAt, nameOf, read, faultOf, passes, signal }: StreamOptions,
  events: { readonly opened: string[]; readonly faults: Skip[] },
): AsyncGenerator<Entry, void> {
  for (let pass = firstPass; pass < passes; pass++) {
    const start = pass === firstPass ? firstPlace : 0;
    let isEmpty = start === 0;
    for (let place = start; ; place++) {
      const shard = shardAt(pass, place);
      if (shard === undefined) break;
      const before = pass === firstPass && place === firstPlace ? firstSample : 0;
      events.opened.push(nameOf(shard));
      let number = 0;
      try {
        for await (const sample of read(shard, signal)) {
          signal?.throwIfAborted();
          isEmpty = false;
          if (number >= before) yield { pass, place, number, shard: nameOf(shard), sample };
          number++;
        }
      } catch (error) {
        const fault = faultOf(error, nameOf(shard), number);
        if (!fault) throw error;
        events.faults.push(fault);
      }
    }
    if (isEmpty) throw noSamples(events.faults);
  }
}

/** The samples of a buffer, read again. Those of shards that are gone are missing. */
async function rebuild(
  buffer: readonly number[],
  { shardAt, nameOf, read, faultOf, signal }: StreamOptions,
  events: { readonly faults: Skip[] },
): Promise<Entry[]> {
  const wanted = new Map<string, { pass: number; place: number; numbers: Map<number, number> }>();
  for (let i = 0; i < buffer.length; i += 3) {
    const [pass, place, number] = buffer.slice(i, i + 3) as [number, number, number];
    const key = `${pass} ${place}`;
    const own = wanted.get(key) ?? { pass, place, numbers: new Map() };
    wanted.set(key, own);
    own.numbers.set(number, i / 3);
  }
  const entries: (Entry | undefined)[] = new Array(buffer.length / 3);
  for (const { pass, place, numbers } of wanted.values()) {
    const shard = shardAt(pass, place);
    if (shard === undefined) continue;
    let left = numbers.size;
    let number = 0;
    try {
      for await (const sample of read(shard, signal)) {
        signal?.throwIfAborted();
        const at = numbers.get(number);
        if (at !== undefined) {
          entries[at] = { pass, place, number, shard: nameOf(shard), sample };
          if (--left === 0) break;
        }
        number++;
      }
    } catch (error) {
      const fault = faultOf(error, nameOf(shard), number);
      if (!fault) throw error;
      events.faults.push(fault);
    }
  }
  return entries.filter((entry) => entry !== undefined);
}

const noSamples = (faults: readonly Skip[]) =>
  new OpenFlamingoError(
    "data-missing",
    `the data: no shard has a sample${faults.length > 0 ? `; ${faults[0]!.shard}: ${faults[0]!.what}` : ""}`,
    { hint: "Shards are tar files with one name for the files of a sample: 0001.jpg, 0001.txt." },
  );
