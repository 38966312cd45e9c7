/** Errors about lists of training data, in one place, so that each fault has one wording. */
import { OpenFlamingoError } from "../base/errors.js";

/** @param what the end of a sentence that begins with the file's name */
export const invalidData = (file: string, what: string, hint: string, cause?: unknown): OpenFlamingoError =>
  new OpenFlamingoError("data-invalid", `${file}: ${what}`, { hint, cause });

/** The error for a file of data that cannot be opened or read. */
export function missingData(file: string, error: unknown): OpenFlamingoError {
  const { code = "for an unknown reason" } = Object(error) as NodeJS.ErrnoException;
  const what: Readonly<Record<string, string>> = {
    ENOENT: "there is no such file",
    ENOTDIR: "a folder of its path is a file",
    EISDIR: "is a folder, and a file is wanted",
    EACCES: "may not be read",
  };
  return new OpenFlamingoError("data-missing", `${file}: ${what[code] ?? `cannot be read (${code})`}`, {
    hint: "Check the path; a relative one starts at the folder in which the program runs.",
    cause: error,
  });
}
