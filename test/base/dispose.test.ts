/** What was opened is closed again, without the help of `await using`. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { asyncDispose, dispose, withClosing } from "../../src/base/dispose.js";

/** Resources that note in which order they are closed. */
function resources() {
  const closed: string[] = [];
  const resource = (name: string, fault?: Error) => ({
    name,
    async close() {
      closed.push(name);
      if (fault) throw fault;
    },
  });
  return { closed, resource };
}

test("the latest is closed first, when the work is done, and its result is given", async () => {
  const { closed, resource } = resources();
  const result = withClosing(async (closing) => {
    const { name } = closing(resource("a"));
    closing(resource("b"));
    await Promise.resolve();
    expect(closed).toEqual([]);
    return name;
  });
  expect(await result).toBe("a");
  expect(closed).toEqual(["b", "a"]);
});

test("what was open is closed when the work fails, and what comes after is not opened", async () => {
  const { closed, resource } = resources();
  const failing = withClosing(async (closing) => {
    closing(resource("a"));
    throw new Error("no b");
  });
  await expect(failing).rejects.toThrow("no b");
  expect(closed).toEqual(["a"]);
});

test("one that does not close does not keep the others from it", async () => {
  const { closed, resource } = resources();
  const failing = withClosing(async (closing) => {
    for (const each of [resource("a"), resource("b", new Error("stuck")), resource("c")]) closing(each);
  });
  await expect(failing).rejects.toThrow("stuck");
  expect(closed).toEqual(["c", "b", "a"]);
});

test("the symbols are the language's, where it has them", () => {
  expect([asyncDispose, dispose]).toEqual([Symbol.asyncDispose, Symbol.dispose]);
});

test("no source relies on them: `using` needs the symbols also as TypeScript compiles it", () => {
  const using = readdirSync("src", { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts"))
    .flatMap((name) =>
      readFileSync(join("src", name), "utf8")
        .split("\n")
        .filter((line) => /^\s*(await )?using \w+ =/.test(line))
        .map((line) => `${name}: ${line.trim()}`),
    );
  expect(using).toEqual([]);
});
