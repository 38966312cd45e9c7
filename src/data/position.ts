/**
 * Where training data are, as a JSON value: with it a later run goes on with the very batches that would have come.
 */
import { OpenFlamingoError } from "../base/errors.js";
import {
  converted,
  count,
  faultList,
  listOf,
  object,
  oneOf,
  type Reader,
  readFields,
  recordOf,
  string,
} from "../base/fields.js";
import type { StreamState } from "./sampleStream.js";
import type { SkipCounts } from "./skips.js";

export interface DataPosition {
  readonly version: 1;
  /** What the position is a place in: shards, kind, seed, rank and all else that decides which sample comes when. */
  readonly of: string;
  readonly stream: StreamState;
  /** What was left out so far, by cause. */
  readonly skips: SkipCounts;
}

const buffer: Reader<readonly number[]> = (value, at, report) => {
  const read = listOf(count(0), 0, 3 * 2 ** 24)(value, at, report);
  if (read.length % 3 !== 0)
    report({ at, what: "must have three numbers for each sample", unsupported: false });
  return read;
};

const table = object({
  version: oneOf(1),
  of: string,
  stream: object({ next: listOf(count(0), 3, 3), buffer, draws: count(0), skip: count(0) }),
  skips: converted(recordOf(count(0)), (counts): SkipCounts => Object.fromEntries(counts)),
});

/**
 * @param of what the data at hand are
 * @throws OpenFlamingoError `data-invalid` for what is no position; `usage` for one of other data
 */
export function readPosition(value: unknown, of: string): DataPosition {
  const fail = (faults: Parameters<typeof faultList>[0]) =>
    new OpenFlamingoError("data-invalid", `the position in the data: ${faultList(faults)}`, {
      hint: "Take the position of a batch as it was given, as JSON.",
    });
  const read = readFields(table, value, fail, "the position");
  if (read.of !== of) {
    throw new OpenFlamingoError("usage", "the position in the data belongs to other shards or options", {
      hint: "Name the same shards in the same order, with the same kind, seed, shuffle, rank and worldSize; or start anew, without a position.",
      data: { of: read.of, expected: of },
    });
  }
  return read as DataPosition;
}
