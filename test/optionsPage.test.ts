import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { optionsPage } from "../scripts/options.js";

const page = optionsPage();

test("docs/options.md is what the types say", () => {
  expect(readFileSync(new URL("../docs/options.md", import.meta.url), "utf8")).toBe(page);
});

test("every option has a description", () => {
  expect(page.split("\n").filter((line) => /^\| `.*\| *\|$/.test(line))).toEqual([]);
});
