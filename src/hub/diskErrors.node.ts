/** Errors of the disk at the cache folder, in our words. */
import { OpenFlamingoError } from "../base/errors.js";
import { diskError } from "../base/wholeFile.node.js";

/**
 * Does work on a file of the cache.
 *
 * @throws OpenFlamingoError `disk` for an error of the system; whatever else the work throws
 */
export async function diskErrors<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const ours = diskError(path, error);
    if (ours === error || !(ours instanceof OpenFlamingoError)) throw error;
    const hint = "Make room or get the right to write there, or set HF_HOME to another folder.";
    throw new OpenFlamingoError(ours.code, ours.message, { hint, cause: error });
  }
}
