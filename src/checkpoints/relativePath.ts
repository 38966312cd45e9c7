/** The rule for paths inside a folder that a file of that folder names (contract: model folder). */

/** What is wrong with `path` as it is written; undefined where it is relative, uses `/` and stays inside. */
export function pathFault(path: string): string | undefined {
  if (path === "" || path.includes("\0")) return "is no path";
  // A message shows the path as it is, to a terminal that would obey, or to a reader who would see another name.
  if (/[\p{Cc}\u2028-\u202e\u2066-\u2069]/u.test(path)) return "holds characters that are not shown";
  if (path.includes("\\")) return "uses \\ where / is wanted";
  if (path.startsWith("/") || /^[a-z]:/i.test(path)) return "is absolute";
  if (path.split("/").includes("..")) return "leaves the folder";
  return undefined;
}
