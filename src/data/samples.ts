/**
 * Samples of a WebDataset shard: its files that follow each other and have the same name up to the first full stop.
 *
 * Reference: webdataset 0.2.48, `base_plus_ext` and `tar_file_iterator`; open_flamingo's `group_by_keys_nothrow`, with
 * which a field that comes again begins another sample.
 */

/** A file of a shard. */
export interface Member {
  readonly name: string;
  /** Undefined where it is larger than the limit. */
  readonly data: Uint8Array | undefined;
}

/** Files of one name. */
export interface RawSample {
  /** The name with its folder, without extension. */
  readonly key: string;
  /** The files by extension, in lower case: `jpg`, `txt`, `a.jpg`. */
  readonly fields: ReadonlyMap<string, Uint8Array>;
  /** Extensions of files that were larger than the limit. */
  readonly tooLarge: readonly string[];
}

/** The sample that a file belongs to and its extension there; undefined for a file that is none of a sample's. */
export function sampleName(name: string): { readonly key: string; readonly field: string } | undefined {
  // Without a folder, `__meta__` and the like are about the shard.
  if (!name.includes("/") && name.startsWith("__") && name.endsWith("__")) return undefined;
  const [, key, field] = /^((?:.*\/|)[^./]+)\.([^/]*)$/.exec(name) ?? [];
  return key === undefined || field === undefined ? undefined : { key, field: field.toLowerCase() };
}

/** Samples as they are complete; the files before an error make a last sample, and then it is thrown. */
export async function* groupSamples(members: AsyncIterable<Member>): AsyncGenerator<RawSample, void> {
  let key: string | undefined;
  let fields = new Map<string, Uint8Array>();
  let tooLarge: string[] = [];
  const finished = (): RawSample[] => (key === undefined ? [] : [{ key, fields, tooLarge }]);
  let failure: { readonly error: unknown } | undefined;
  try {
    for await (const { name, data } of members) {
      const found = sampleName(name);
      if (!found) continue;
      if (found.key !== key || fields.has(found.field) || tooLarge.includes(found.field)) {
        yield* finished();
        key = found.key;
        fields = new Map();
        tooLarge = [];
      }
      if (data) fields.set(found.field, data);
      else tooLarge.push(found.field);
    }
  } catch (error) {
    failure = { error };
  }
  yield* finished();
  if (failure) throw failure.error;
}
