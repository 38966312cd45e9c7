/** The command on a Node that is too old. The true old ones are tried by `npm run installs`. */
import { spawnSync } from "node:child_process";
import { expect, test } from "vitest";

/** The command on a Node that says that it is of another version. */
const onNode = (version: string, ...args: string[]) =>
  spawnSync(
    process.execPath,
    [
      "--import",
      `data:text/javascript,Object.defineProperty(process.versions, "node", { value: "${version}" })`,
      "dist/cli/openflamingo.js",
      ...args,
    ],
    { encoding: "utf8" },
  );
const message = "Node 20.9.0 is too old: openflamingo needs 20.19 or later";

test.each([[["caption", "cat.jpg"]], [["--version"]], [[]]])("%j: one message, and exit code 1", (args) => {
  const { status, stdout, stderr } = onNode("20.9.0", ...args);
  expect({ status, stdout }).toEqual({ status: 1, stdout: "" });
  expect(stderr).toMatch(new RegExp(`^openflamingo: ${message}\\n  Install a newer Node.*\\n$`));
});

test("with --json it is an object", () => {
  const { status, stderr } = onNode("20.9.0", "caption", "--json", "cat.jpg");
  expect(status).toBe(1);
  expect(JSON.parse(stderr)).toEqual({ error: { code: "backend", message, hint: expect.any(String) } });
});

test("a Node that is new enough", () => {
  expect(onNode("20.19.0", "--version")).toMatchObject({ status: 0, stderr: "" });
});
