/** What of an installation does not work is named, with what to do. */
import { expect, test } from "vitest";
import { OpenFlamingoError } from "../../src/base/errors.js";
import { checkInstallation, cLibrary } from "../../src/machine/installation.node.js";

test("here everything works, and has a version", async () => {
  const checks = await checkInstallation();
  expect(checks.map(({ what }) => what)).toEqual(["node", "C library", "ort.ffi", "ort.binding", "sharp"]);
  for (const { found, error } of checks) {
    expect(error).toBeUndefined();
    expect(found).toMatch(/\d+\.\d+|system's/);
  }
});

test("what fails does not hide the rest; errors of packages get a hint", async () => {
  const ours = new OpenFlamingoError("backend", "a library is too old", { hint: "Install a newer one." });
  const checks = await checkInstallation({
    first: () => Promise.reject(ours),
    sharp: () => Promise.reject(new Error("Could not load the module\nand a page more")),
    last: () => "1.0",
  });
  expect(checks[0]!.error).toBe(ours);
  expect(checks[1]!.error).toMatchObject({
    code: "backend",
    message: "sharp cannot be loaded: Could not load the module",
    hint: expect.stringContaining("npm install again"),
  });
  expect(checks[2]).toEqual({ what: "last", found: "1.0" });
});

test("a C library that the backend does not run on", () => {
  expect(cLibrary("linux", "2.28")).toBe("glibc 2.28");
  expect(cLibrary("linux", "3.1")).toBe("glibc 3.1");
  expect(cLibrary("darwin", undefined)).toBe("the system's");
  for (const [glibc, words] of [
    [undefined, "is not glibc"],
    ["2.27", "is glibc 2.27"],
  ] as const) {
    expect(() => cLibrary("linux", glibc)).toThrowError(
      expect.objectContaining({ code: "backend", message: expect.stringContaining(words) }),
    );
  }
});
