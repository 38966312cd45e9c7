import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test, vi } from "vitest";
import { OpenFlamingoError } from "../../src/base/errors.js";
import { openRuntime } from "../../src/runtime/openRuntime.node.js";
import { addition, floats } from "./programs.js";

const folder = mkdtempSync(join(tmpdir(), "openflamingo-test-"));
afterAll(() => rmSync(folder, { recursive: true }));
const noLibrary = join(folder, "libonnxruntime.so.1");
writeFileSync(noLibrary, "not a library");

/** Opens, and collects what was noticed. */
async function open(name?: string, library?: string) {
  const notices: string[] = [];
  const onNotice = (text: string) => void notices.push(text);
  const runtime = await openRuntime(name, { onNotice, ...(library !== undefined && { library }) });
  return { runtime, notices };
}

test("ort.ffi is the default, and nothing is said about it", async () => {
  const { runtime, notices } = await open();
  expect([runtime.name, ...notices]).toEqual(["ort.ffi"]);
  await runtime.close();
});

test.each([noLibrary, join(folder, "missing.so")])(
  "ort.binding takes its place when the library does not load, saying so: %s",
  async (library) => {
    const { runtime, notices } = await open(undefined, library);
    expect(runtime.name).toBe("ort.binding");
    expect(notices).toEqual([
      expect.stringMatching(
        /^ort\.ffi cannot be used, so the slower ort\.binding is: ONNX Runtime's library/,
      ),
    ]);
    expect(notices[0]).toContain(library);
    await using session = await runtime.load(addition);
    const a = floats([1, 3], [1, 2, 3]);
    expect(await session.run({ a, b: a })).toEqual({ sum: floats([1, 3], [2, 4, 6]) });
    await runtime.close();
  },
);

test("a backend that is named is opened, or rejected and not replaced", async () => {
  for (const name of ["ort.ffi", "ort.binding"]) {
    const { runtime, notices } = await open(name);
    expect([runtime.name, ...notices]).toEqual([name]);
    await runtime.close();
  }
  await expect(open("ort.ffi", noLibrary)).rejects.toMatchObject({ code: "backend" });
});

test("an unknown backend is rejected with the names of those that there are", async () => {
  await expect(openRuntime("ort")).rejects.toMatchObject({
    code: "usage",
    message: 'there is no backend "ort"',
    hint: "The backends are ort.ffi, ort.binding.",
  });
});

test("when neither works, the error has the reasons of both and what to do about the first", async () => {
  vi.doMock("../../src/runtime/ortBinding.node.js", () => ({
    openOrtBinding: () => Promise.reject(new OpenFlamingoError("backend", "it is missing", { hint: "" })),
  }));
  await expect(open(undefined, noLibrary)).rejects.toMatchObject({
    code: "backend",
    message: expect.stringMatching(
      /^no backend works: ort\.ffi: .* cannot be loaded: .*; ort\.binding: it is missing$/,
    ),
    hint: expect.stringContaining("glibc"),
  });
  vi.doUnmock("../../src/runtime/ortBinding.node.js");
});
