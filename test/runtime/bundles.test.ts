/**
 * Programs that a bundler made one file of: the worker of `ort.binding` is found, or an error says that it is missing.
 * What must never happen is that a program starts itself in place of the worker.
 */
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type BuildOptions, build } from "esbuild";
import { afterAll, expect, test } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "openflamingo-bundles-"));
afterAll(() => rmSync(folder, { recursive: true }));

const program = `
  import { openRuntime } from "./src/runtime/openRuntime.node.js";
  console.log("the program starts");
  openRuntime(process.env.BACKEND).then(
    async (runtime) => {
      console.log("it has", runtime.name);
      await runtime.close();
    },
    (error) => {
      console.log(error.name, error.code, error.message);
      process.exitCode = 1;
    },
  );
`;

interface Bundle extends BuildOptions {
  /** The backend that the program names; none if left out. */
  readonly backend?: string;
  /** Whether the packages that the bundle does not hold are installed where it lies; true if left out. */
  readonly installed?: boolean;
  /** The bundle's name; `app.mjs` if left out. */
  readonly file?: string;
  /** Puts more files into the bundle's folder; the path of one of them is what is run, if it is returned. */
  readonly add?: (place: string, bundle: string) => Promise<string | undefined>;
}

/** Bundles the program into a folder of its own and runs it there. @returns what it says, by line */
async function run({
  backend,
  installed = true,
  file = "app.mjs",
  add,
  ...options
}: Bundle): Promise<string[]> {
  const place = mkdtempSync(join(folder, "bundle-"));
  const bundle = join(place, file);
  if (installed) symlinkSync(join(root, "node_modules"), join(place, "node_modules"), "junction");
  await build({
    stdin: { contents: program, resolveDir: root, loader: "ts" },
    ...{
      bundle: true,
      platform: "node",
      format: "esm",
      outfile: bundle,
      logLevel: "error",
      external: ["koffi"],
    },
    ...options,
  });
  const start = (await add?.(place, bundle)) ?? bundle;
  const { BACKEND: _, ...env } = process.env;
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [start],
      {
        ...{ cwd: place, timeout: 20_000, killSignal: "SIGKILL" },
        env: backend === undefined ? env : { ...env, BACKEND: backend },
      },
      (error, stdout, stderr) => {
        const end = error?.killed ? ["it does not end"] : [];
        resolve([...(stdout + stderr).trim().split("\n"), ...end]);
      },
    );
  });
}

/** Writes the worker as the package has it, in JavaScript, beside the bundle. */
async function addWorker(place: string): Promise<undefined> {
  await build({
    entryPoints: [join(root, "src/runtime/ortBinding.worker.node.ts")],
    ...{ outfile: join(place, "ortBinding.worker.node.js"), format: "esm", platform: "node" },
  });
}

const starts = "the program starts";
const missing = "the file of ort.binding's worker, ortBinding.worker.node.js, is missing";
const works = [starts, "it has ort.binding"];

test.each<[string, Bundle]>([
  ["an ES module", {}],
  ["minified", { minify: true }],
  ["CommonJS", { format: "cjs", file: "app.cjs" }],
  ["minified CommonJS", { format: "cjs", file: "app.cjs", minify: true }],
])("as %s without the worker's file it starts once and says what is missing", async (_, options) => {
  const said = await run({ ...options, backend: "ort.binding" });
  expect(said).toEqual([starts, `OpenFlamingoError backend ${missing}`]);
});

test("where no package is installed it starts once and says why neither backend works", async () => {
  const [first, ...others] = await run({ installed: false });
  expect(first).toBe(starts);
  expect(others).toEqual([
    expect.stringMatching(
      /^OpenFlamingoError backend no backend works: ort\.ffi: .+; ort\.binding: the file of/,
    ),
  ]);
});

test.each<[string, Bundle]>([
  ["an ES module", {}],
  ["CommonJS", { format: "cjs", file: "app.cjs" }],
])("as %s, with the packages installed, ort.ffi works", async (_, options) => {
  expect(await run(options)).toEqual([starts, "it has ort.ffi"]);
});

test("the worker's file may be copied beside the bundle", async () => {
  expect(await run({ backend: "ort.binding", add: addWorker })).toEqual(works);
});

test("the worker's file may be an entry of its own", async () => {
  const add = async (place: string): Promise<undefined> => {
    await build({
      entryPoints: [join(root, "src/runtime/ortBinding.worker.node.ts")],
      ...{ bundle: true, minify: true, platform: "node", format: "esm", external: ["onnxruntime-node"] },
      outfile: join(place, "ortBinding.worker.node.js"),
    });
  };
  expect(await run({ backend: "ort.binding", add })).toEqual(works);
});

test.each(["ort.binding", "ort.ffi", undefined])(
  "in a worker thread of the user's own it works: %s",
  async (backend) => {
    const add = async (place: string, bundle: string) => {
      await addWorker(place);
      const start = join(place, "start.mjs");
      const workerData = "{ workerData: { state: 1 }, stdout: false }";
      writeFileSync(
        start,
        `import { Worker } from "node:worker_threads"; new Worker(${JSON.stringify(bundle)}, ${workerData});`,
      );
      return start;
    };
    expect(await run({ ...(backend !== undefined && { backend }), add })).toEqual([
      starts,
      `it has ${backend ?? "ort.ffi"}`,
    ]);
  },
);

test.each(["ort.binding", undefined])(
  "a program that lies in place of the worker's file starts no third time: %s",
  async (backend) => {
    const named = backend !== undefined && { backend };
    // Without koffi, the default is ort.binding too.
    const said = await run({ file: "ortBinding.worker.node.js", installed: false, ...named });
    expect(said.filter((line) => line === starts)).toHaveLength(2);
    expect(said).toContainEqual(expect.stringMatching(/the program runs in place of the worker/));
    expect(said).not.toContain("it does not end");
  },
);
