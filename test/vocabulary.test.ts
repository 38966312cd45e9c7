/**
 * One standard term for each thing: words that were retired do not come back. A name that a contract or a file format
 * of others fixes is not in the list.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const root = fileURLToPath(new URL("..", import.meta.url));

/** What is retired, and what is said instead. */
const retired: readonly (readonly [RegExp, string])[] = [
  [/\b(first|second|both|two) doors?\b/i, "high-level API, compatible API"],
  [/\bapi\/original\b|\bOriginal(Model|Tokenizer)\b/, "api/compat, CompatibleModel, CompatibleTokenizer"],
  [/pictures?/i, "image"],
  [
    /\bthe original('s)?\b(?! (order|shape|file|names?|size|message|error|text)\b)/i,
    "OpenFlamingo (Python), the reference implementation",
  ],
  [/\bstrangers?\b/i, "untrusted input"],
  [/\bis told\b|\bare told\b|\btold by\b/i, "reported"],
  [/\bpass(ed)? over\b/i, "ignored"],
  [/\brefus(e|es|ed|al|als|ing)\b/i, "rejected"],
  [/\bwhole or not at all\b/i, "atomic"],
  [/\btwins?\b/i, "tiny test model"],
  [/\byardsticks?\b|(?<!Math\.)\bfloors?\b/i, "line budget, layers"],
  [/\barmou?r\b/i, "hardening"],
  [/\bsrc\/engine\b|\b(open|use)Engine\b|\bEngine(Options|Name)?\b/, "runner, backend"],
  [/\braw nodes?\b/i, "backend node"],
  [/\bplacesOf\b|\bplaceAfter\b|\bsees(None|All)\b/, "imageIndexOf, NO_IMAGE, ALL_IMAGES"],
  [/\bcreatePool\b|\bslotsOf\b/, "encodedImages, imageIds"],
  [/\bsightOf\b|\bSight\b/, "CrossAttentionMask"],
  [/\bmediaOf\b/, "projectMedia"],
  [/\bBranches\b|\bcreateBranches\b|\bBranchRoom\b/, "TokenTree"],
  [/\bheadWidth\b|\bcacheWidth\b/, "headDim"],
  [/\bmistake\(/, "bug("],
  [/\bkeep(Best|Mass|Share)\b/, "topK, topP, minP"],
  [/\blikel(ier|iest)\b/i, "more probable, most probable"],
  [/\bthreads that compute\b/i, "number of threads"],
  [/\bstands between (image|picture) and caption\b/i, "text between image and caption"],
];

const filesOf = (folder: string): readonly string[] =>
  readdirSync(join(root, folder), { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && /\.(ts|md)$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name));

test("no retired word is in src, docs or the README", () => {
  const files = [...filesOf("src"), ...filesOf("docs"), join(root, "README.md"), join(root, "CHANGELOG.md")];
  const found = files.flatMap((file) =>
    readFileSync(file, "utf8")
      .split("\n")
      .flatMap((line, i) =>
        retired
          .filter(([word]) => word.test(line))
          .map(
            ([word, instead]) => `${file.slice(root.length)}:${i + 1}: ${line.match(word)![0]} → ${instead}`,
          ),
      ),
  );
  expect(found).toEqual([]);
});
