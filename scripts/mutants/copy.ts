/** A copy of the repository, in which source is changed and tests are run. */
import { spawnSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Mutant } from "./mutant.js";

/** What the tests need of the repository. */
const parts = "src test bench assets docs scripts package.json tsconfig.json vitest.config.ts".split(" ");

/** Tests that take longer than this do not end. */
const mostSeconds = 300;

export interface RepositoryCopy {
  /** The first of the tests that fails as things are, by its file and name; undefined: none. */
  firstFailure(tests: readonly string[]): string | undefined;
  /** As `firstFailure` of the mutant's tests, with its change. @throws Error where its text is not there just once */
  failureOf(mutant: Mutant): string | undefined;
  remove(): void;
}

/** @param root the repository's folder */
export function copyRepository(root: string): RepositoryCopy {
  const folder = mkdtempSync(join(tmpdir(), "openflamingo-mutants-"));
  const copy = join(folder, "repository");
  mkdirSync(copy);
  for (const part of parts) cpSync(join(root, part), join(copy, part), { recursive: true });
  symlinkSync(join(root, "node_modules"), join(copy, "node_modules"));
  const shared = join(root, "../shared"); // golden values that are too large for the repository
  if (existsSync(shared)) symlinkSync(shared, join(folder, "shared"));

  const firstFailure: RepositoryCopy["firstFailure"] = (tests) => runTests(tests, copy);
  return {
    firstFailure,
    failureOf({ what, file, from, to, tests }) {
      const path = join(copy, "src", file);
      const source = readFileSync(path, "utf8");
      const pieces = source.split(from);
      if (pieces.length !== 2) {
        throw new Error(`${file} has the text of “${what}” ${pieces.length - 1} times: ${from}`);
      }
      writeFileSync(path, pieces.join(to));
      try {
        return firstFailure(tests);
      } finally {
        writeFileSync(path, source);
      }
    },
    remove: () => rmSync(folder, { recursive: true }),
  };
}

/** Of Vitest's JSON. */
interface Report {
  readonly testResults: readonly {
    readonly name: string;
    readonly status: string;
    readonly assertionResults: readonly { readonly fullName: string; readonly status: string }[];
  }[];
}

function runTests(tests: readonly string[], copy: string): string | undefined {
  const all = tests.join(", ");
  const output = join(copy, "report.json");
  rmSync(output, { force: true });
  const vitest = join(copy, "node_modules/vitest/vitest.mjs");
  // Setting up may take long on a busy machine, and is not what is tried here.
  const options = ["--bail=1", "--maxWorkers=1", "--hookTimeout=60000"];
  const report = ["--reporter=json", `--outputFile=${output}`];
  const args = [vitest, "run", ...tests.map((test) => `test/${test}`), ...options, ...report];
  const { status, signal, stderr } = spawnSync(process.execPath, args, {
    cwd: copy,
    env: { ...process.env, OPENFLAMINGO_SLOW: "1" },
    timeout: 1000 * mostSeconds,
    encoding: "utf8",
  });
  if (!existsSync(output)) {
    return `${all}: no report, ended with ${signal ?? `status ${status}`} ${stderr.slice(-300)}`;
  }
  const { testResults } = JSON.parse(readFileSync(output, "utf8")) as Report;
  for (const { name, status, assertionResults } of testResults) {
    const file = name.replaceAll("\\", "/").split("/test/").at(-1)!;
    const failed = assertionResults.find((each) => each.status === "failed");
    if (failed) return `${file}: ${failed.fullName.trim()}`;
    if (status === "failed") return `${file}: the file as a whole`;
  }
  return status === 0 ? undefined : `${all}: what is checked after the tests`;
}
