/** A Node that is too old is rejected with a specific error. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { requireNode } from "../../src/base/nodeVersion.node.js";

test.each(["0.10.48", "18.20.8", "20.0.0", "20.9.0", "20.18.3"])("Node %s is too old", (node) => {
  expect(() => requireNode({ node })).toThrow(
    expect.objectContaining({
      code: "backend",
      message: `Node ${node} is too old: openflamingo needs 20.19 or later`,
    }),
  );
});

test.each(["20.19.0", "20.20.2", "21.0.0", "22.12.0", "24.0.0", "26.1.0-nightly", "100.0.0"])(
  "Node %s is new enough",
  (node) => expect(() => requireNode({ node })).not.toThrow(),
);

test.each(["bun", "deno"])("the Node version that %s gives is not checked", (name) => {
  expect(() => requireNode({ node: "18.0.0", [name]: "1.0.0" })).not.toThrow();
});

test("package.json asks for the same version", () => {
  const { engines } = JSON.parse(readFileSync("package.json", "utf8"));
  expect(() => requireNode({ node: "20.18.9" })).toThrow(`needs ${engines.node.replace(/^>=/, "")} or later`);
});
