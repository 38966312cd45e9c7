/** Errors of the disk, in our words. */
import { OpenFlamingoError } from "../base/errors.js";

const reasons: Readonly<Record<string, readonly [what: string, hint: string]>> = {
  ENOSPC: ["there is no space left on the disk", "Make room, or set HF_HOME to a folder on another disk."],
  EDQUOT: ["your share of the disk is used up", "Make room, or set HF_HOME to a folder on another disk."],
  EROFS: ["the disk is read-only", "Set HF_HOME to a folder that may be written."],
  EACCES: ["you may not write there", "Set HF_HOME to a folder that may be written."],
  EPERM: ["you may not write there", "Set HF_HOME to a folder that may be written."],
};

/**
 * Does work on a file of the cache.
 *
 * @throws OpenFlamingoError `disk` for an error of the system; whatever else the work throws
 */
export async function diskErrors<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (error instanceof OpenFlamingoError || typeof code !== "string" || !("syscall" in (error as object))) {
      throw error;
    }
    const [what, hint] = reasons[code] ?? [`the system says ${code}`, "Check the folder, or set HF_HOME."];
    throw new OpenFlamingoError("disk", `${path}: cannot be written: ${what}`, { hint, cause: error });
  }
}
