/** Which Node is new enough. `engines` in package.json says the same, and a test compares them. */
import { OpenFlamingoError } from "./errors.js";

/** The first version in which all dependencies load, and in which `require` takes ES modules. */
const oldest = { major: 20, minor: 19 };

/**
 * Checks that this Node can run the package. Bun and Deno, which give a Node version of their choice, are not checked.
 *
 * @throws OpenFlamingoError "backend" for a Node that is too old, with both versions
 */
export function requireNode(versions: Readonly<Record<string, string | undefined>> = process.versions): void {
  const { node = "", bun, deno } = versions;
  if (bun !== undefined || deno !== undefined) return;
  const [major = 0, minor = 0] = node.split(".").map(Number);
  if (major > oldest.major || (major === oldest.major && minor >= oldest.minor)) return;
  const needed = `${oldest.major}.${oldest.minor}`;
  throw new OpenFlamingoError("backend", `Node ${node} is too old: openflamingo needs ${needed} or later`, {
    hint: "Install a newer Node: its long-term support versions are on https://nodejs.org.",
  });
}
