/** Links of Markdown files that lead nowhere, within a folder: to a file that is not in it, or to a heading that is not there. */
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";

/** @returns `FILE: LINK` for each; links to the web are not followed */
export function deadLinks(folder) {
  const files = readdirSync(folder, { recursive: true }).filter(
    (name) => name.endsWith(".md") && !name.split(/[\\/]/).includes("node_modules"),
  );
  return files.flatMap((name) => {
    const file = join(folder, name);
    const links = withoutCode(readFileSync(file, "utf8")).matchAll(/\]\(([^)\s]+)\)/g);
    return Array.from(links, ([, link]) => link)
      .filter((link) => !/^[a-z]+:/.test(link) && !leads(folder, file, link))
      .map((link) => `${name}: ${link}`);
  });
}

function leads(folder, file, link) {
  const [path, heading] = decodeURI(link).split("#");
  const target = path === "" ? file : resolve(dirname(file), path);
  if (relative(folder, target).startsWith("..") || !existsSync(target)) return false;
  if (heading === undefined || !statSync(target).isFile()) return heading === undefined;
  const headings = withoutBlocks(readFileSync(target, "utf8")).matchAll(/^#+ (.*)$/gm);
  return Array.from(headings, ([, text]) => anchor(text)).includes(heading);
}

/** As GitHub and npm make it. */
const anchor = (heading) =>
  heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N} _-]/gu, "")
    .trim()
    .replaceAll(" ", "-");

const withoutBlocks = (text) => text.replace(/```.*?```/gs, "");
const withoutCode = (text) => withoutBlocks(text).replace(/`[^`\n]*`/g, "");
