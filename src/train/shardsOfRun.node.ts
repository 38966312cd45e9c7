/**
 * The shards of a run are those that it began with. A folder of which a shard was removed would otherwise be other data,
 * in which the run's place is nowhere; so it is a shard that is missing, which is counted and survived.
 */
import { isObject, type JsonValue } from "../base/json.js";
import type { DataPosition } from "../data/position.js";
import { findShards, type Shard, shardName } from "../data/shardList.node.js";

/** Characters of names that a run keeps; of a longer list none: patterns name so many, and they do not change. */
const mostCharacters = 2 ** 22;

/** What a run keeps of where a kind of its data is. */
export const dataAt = (position: DataPosition, shards: readonly string[]): JsonValue => ({
  position: position as unknown as JsonValue,
  shards: shards.reduce((sum, { length }) => sum + length, 0) > mostCharacters ? [] : shards,
});

/** The position in it, as it was kept. */
export const positionIn = (saved: JsonValue | undefined): JsonValue | undefined =>
  isObject(saved) ? (saved.position as JsonValue) : undefined;

/**
 * What a run reads.
 *
 * @param given what its options name
 * @param saved what it kept, of `dataAt`; undefined where it begins
 * @param onNotice told of shards that have come since it began, and are not read
 * @throws OpenFlamingoError `data-missing`, `usage`
 */
export async function shardsOfRun(
  given: string | readonly string[],
  saved: JsonValue | undefined,
  onNotice: (text: string) => void,
): Promise<string | readonly string[]> {
  const begun = isObject(saved) && Array.isArray(saved.shards) ? saved.shards : [];
  if (begun.length === 0) return given;
  const found = await findShards(given);
  const names = new Set(found.map(shardName));
  if (found.some(isAnAddress) || !begun.every(isPlainName)) return given; // their names are not where they are
  const later = [...names].filter((name) => !begun.includes(name));
  if (later.length === 0) return begun;
  // More of them than a run that began with all: not this folder's later shards, but other data.
  if (names.size - later.length === 0) return given;
  onNotice(
    `${later.length} shards have come since the run began, and are not read: ${later.slice(0, 5).join(", ")}`,
  );
  return begun;
}

const isAnAddress = (shard: Shard): boolean => shard instanceof URL;

/** A name that stands for itself: no pattern, no address. */
const isPlainName = (name: unknown): name is string =>
  typeof name === "string" && !/[{}]|^[a-z]{2,}:/i.test(name);
