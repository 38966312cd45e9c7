/** From what a user names to the list of shards: files, folders, brace patterns of files, addresses of the web. */
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { OpenFlamingoError } from "../base/errors.js";
import { quoted } from "../base/quoted.js";
import { shownAddress } from "../base/webAddress.js";
import { expandBraces } from "./braces.js";

/** A shard: a path, or a URL object of `http:` or `https:`. */
export type Shard = string | URL;

/** What messages call a shard; of a web address without what may be secret. */
export const shardName = (shard: Shard): string => (shard instanceof URL ? shownAddress(shard) : shard);

/** How the names of shards in a folder end. */
const isShardName = (name: string) => /\.(tar|tar\.gz|tgz)$/i.test(name) && !name.startsWith(".");

/**
 * All shards that are named, in the order of the names; those of a folder by their names.
 *
 * A file of a pattern that is not there is found when it is to be read: here it is an error only if none is there.
 *
 * @param names paths or http(s) addresses with braces (`shards/{00..07}.tar`), or folders that hold `.tar`, `.tar.gz` or
 *   `.tgz` files
 * @throws OpenFlamingoError `data-missing` when there is nothing of that name; `usage` for names of another kind
 */
export async function findShards(names: string | readonly string[]): Promise<Shard[]> {
  const all = (typeof names === "string" ? [names] : names).flatMap(expandBraces);
  const shards: Shard[] = [];
  let missing: string | undefined;
  let isAnyThere = false;
  for (const name of all) {
    const address = addressOf(name);
    if (address instanceof URL) {
      shards.push(address);
      isAnyThere = true;
      continue;
    }
    const found = await stat(address).catch(() => undefined);
    if (found?.isDirectory()) shards.push(...(await shardsIn(address)));
    else shards.push(address);
    if (found) isAnyThere = true;
    else missing ??= address;
  }
  if (isAnyThere) return shards;
  const count = all.length > 1 ? ` (nor any of the other ${all.length - 1} names)` : "";
  throw new OpenFlamingoError(
    "data-missing",
    `${quoted(missing ?? "")}: there is no shard of that name${count}`,
    {
      hint: "Name a .tar file, a folder of them, a pattern such as shards/{000..099}.tar, or an http(s) address.",
      data: { names: all.length },
    },
  );
}

function addressOf(name: string): Shard {
  if (/^https?:/i.test(name)) {
    if (URL.canParse(name)) return new URL(name);
  } else if (/^file:/i.test(name)) {
    const path = pathOf(name);
    if (path !== undefined) return path;
  } else if (!/^[a-z][a-z\d+.-]+:/i.test(name)) return name; // one letter is a drive
  const scheme = /^[^:]*:/.exec(name)![0];
  throw new OpenFlamingoError(
    "usage",
    `shards are not read from an address of ${quoted(scheme)} that looks like this`,
    {
      hint: "Name paths, or well-formed http: or https: addresses; fetch other shards to a disk first.",
    },
  );
}

/** The path of a `file:` address; undefined where it has none, as with a host. */
function pathOf(address: string): string | undefined {
  try {
    return fileURLToPath(address);
  } catch {
    return undefined;
  }
}

async function shardsIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true });
  const names = entries
    .flatMap((entry) => (isShardName(entry.name) && !entry.isDirectory() ? [entry.name] : []))
    .sort();
  if (names.length > 0) return names.map((name) => join(folder, name));
  throw new OpenFlamingoError("data-missing", `${folder}: there are no shards in this folder`, {
    hint: "Shards are .tar, .tar.gz or .tgz files that lie in the folder itself.",
  });
}
