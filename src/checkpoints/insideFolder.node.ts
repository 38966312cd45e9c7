/** Finds what a file of a folder names in that folder, and nothing outside, whatever links there are. */
import { realpath } from "node:fs/promises";
import { isAbsolute, join, relative, sep } from "node:path";
import { pathFault } from "./relativePath.js";

/**
 * The place of `path` in `folder`, or what is wrong with it: `{ fault: "leaves the folder" }`.
 *
 * @param folder must exist
 */
export async function findInside(
  folder: string,
  path: string,
): Promise<{ path: string } | { fault: string }> {
  const fault = pathFault(path);
  if (fault !== undefined) return { fault };
  const full = join(folder, path);
  let real: string;
  try {
    real = await realpath(full);
  } catch {
    return { fault: "is not there" };
  }
  const way = relative(await realpath(folder), real); // absolute where it leads to another drive
  const leaves = isAbsolute(way) || way.split(sep)[0] === "..";
  return leaves ? { fault: "is a link that leaves the folder" } : { path: full };
}
