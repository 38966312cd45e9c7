/** ONNX Runtime's library: where it lies, and how it is loaded with koffi. */
import { readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { OpenFlamingoError } from "../base/errors.js";

export type Koffi = typeof import("koffi").default;

/** An address in native memory; 0 is no object. */
export type Pointer = bigint;

/** A library that was loaded. It must be referenced for as long as anything points into it. */
export interface Library {
  readonly koffi: Koffi;
  readonly path: string;
  /** koffi's object: when it is collected, the library is unloaded, and what still points into it crashes. */
  readonly library: unknown;
  /** The library's `OrtApiBase`. */
  readonly base: Pointer;
}

/** @throws OpenFlamingoError "backend" when the package cannot be loaded */
export async function loadKoffi(): Promise<Koffi> {
  try {
    return (await import("koffi")).default;
  } catch (cause) {
    throw new OpenFlamingoError("backend", "the package koffi, which calls ONNX Runtime, cannot be loaded", {
      hint: "Run npm install again with optional dependencies: koffi's binary comes in one for each platform.",
      cause,
    });
  }
}

/**
 * Loads the library at a path.
 *
 * @throws OpenFlamingoError "backend" when it cannot be loaded
 */
export function loadOrtLibrary(koffi: Koffi, path: string): Library {
  growAsyncStack(koffi);
  silenceTelemetry();
  try {
    const library = koffi.load(path);
    return { koffi, path, library, base: library.func("OrtGetApiBase", "void *", [])() as Pointer };
  } catch (cause) {
    const words = cause instanceof Error ? cause.message : String(cause);
    throw new OpenFlamingoError("backend", `ONNX Runtime's library ${path} cannot be loaded: ${words}`, {
      hint: "On Linux it needs glibc 2.28 or later (not musl, so not Alpine); on Windows the Visual C++ runtime.",
      cause,
    });
  }
}

/**
 * koffi runs a call on a stack of its own, for asynchronous calls of 128 KiB. That is near the edge: with 64 KiB a
 * product of matrices crashes. Threads that ONNX Runtime starts itself have 512 KiB or more.
 */
function growAsyncStack(koffi: Koffi): void {
  const needed = 2 * 1024 * 1024;
  if ((koffi.config().async_stack_size ?? 0) >= needed) return;
  try {
    koffi.config({ async_stack_size: needed });
  } catch (cause) {
    const hint = `Call koffi.config({ async_stack_size: ${needed} }) before any library is loaded with koffi.`;
    const message = "koffi was used before with a stack that is too small for the backend";
    throw new OpenFlamingoError("backend", message, { hint, cause });
  }
}

/**
 * From 1.30 on the library reports to its maker unless this variable says otherwise before it starts: what model runs,
 * how long, and from which command line. Nothing leaves this program; and a long command line crashes the reading of
 * it (recursion in a regular expression).
 */
export function silenceTelemetry(): void {
  process.env.ORT_DISABLE_TELEMETRY ??= "1";
}

/** A bundle in CommonJS has no `import.meta.url`: there packages are looked for from the program on. */
function resolvePackage(id: string): string {
  const here = (import.meta.url as string | undefined) ?? process.argv[1] ?? process.execPath;
  return createRequire(here).resolve(id);
}

/**
 * The library inside the onnxruntime-node package.
 *
 * @throws OpenFlamingoError "backend" when the package is missing or has no library for the platform
 */
export function findOrtLibrary(
  platform: string = process.platform,
  arch: string = process.arch,
  resolve: (id: string) => string = resolvePackage,
): string {
  let binaries: string;
  try {
    binaries = join(dirname(resolve("onnxruntime-node/package.json")), "bin");
  } catch (cause) {
    throw new OpenFlamingoError("backend", "the package onnxruntime-node is not installed", {
      hint: "Install it with ONNXRUNTIME_NODE_INSTALL=skip in the environment: npm install onnxruntime-node",
      cause,
    });
  }
  // Each is in a folder napi-v6/linux/x64, and likewise for other systems and processors.
  const isLibrary = /[\\/](libonnxruntime\.so\.1|libonnxruntime\.[\d.]+dylib|onnxruntime\.dll)$/;
  const libraries = new Map<string, string>();
  for (const file of readdirSync(binaries, { recursive: true, encoding: "utf8" })) {
    if (isLibrary.test(file)) libraries.set(file.split(/[\\/]/).slice(1, 3).join(" "), join(binaries, file));
  }
  const library = libraries.get(`${platform} ${arch}`);
  if (library !== undefined) return library;
  throw new OpenFlamingoError("backend", `onnxruntime-node has no library for ${platform} ${arch}`, {
    hint: `It has one for ${[...libraries.keys()].join(", ")}.`,
  });
}
