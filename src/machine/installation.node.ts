/** What of an installation works, and of what does not, what to do. */
import { OpenFlamingoError } from "../base/errors.js";
import { requireNode } from "../base/nodeVersion.node.js";
import { openRuntime } from "../runtime/openRuntime.node.js";

export interface Check {
  readonly what: string;
  /** A version, where it works. */
  readonly found?: string | undefined;
  readonly error?: OpenFlamingoError | undefined;
}

/** The oldest C library that the backend's binaries run on. */
const oldestGlibc = [2, 28] as const;

/** @param probes what is checked; each gives a version, or throws */
export async function checkInstallation(
  probes: Readonly<Record<string, () => string | Promise<string>>> = installed,
): Promise<readonly Check[]> {
  const checks: Check[] = [];
  for (const [what, probe] of Object.entries(probes)) {
    try {
      checks.push({ what, found: await probe() });
    } catch (error) {
      checks.push({ what, error: asOurs(what, error) });
    }
  }
  return checks;
}

const asOurs = (what: string, error: unknown): OpenFlamingoError => {
  if (error instanceof OpenFlamingoError) return error;
  const [words] = String(error instanceof Error ? error.message : error).split("\n");
  return new OpenFlamingoError("backend", `${what} cannot be loaded: ${words}`, {
    hint: "Run npm install again with optional dependencies: binaries come in one package for each platform.",
    cause: error,
  });
};

async function backend(name: string): Promise<string> {
  const runtime = await openRuntime(name); // computes a known product
  await runtime.close();
  return `ONNX Runtime ${runtime.version}`;
}

const installed = {
  node() {
    requireNode();
    return process.versions.node;
  },
  "C library": () => cLibrary(process.platform, glibcVersion()),
  "ort.ffi": () => backend("ort.ffi"),
  "ort.binding": () => backend("ort.binding"),
  async sharp() {
    const { default: sharp } = await import("sharp");
    return `${sharp.versions.sharp}, libvips ${sharp.versions.vips}`;
  },
};

/** Of the running process; undefined where there is another C library. */
function glibcVersion(): string | undefined {
  const { report } = process as { report?: { excludeNetwork?: boolean; getReport(): object } };
  if (!report) return undefined;
  report.excludeNetwork = true; // names of addresses would be looked up
  const { header } = report.getReport() as { header?: { glibcVersionRuntime?: string } };
  return header?.glibcVersionRuntime;
}

/** @throws OpenFlamingoError `backend` for one that the backend's binaries do not run on */
export function cLibrary(platform: string, glibc: string | undefined): string {
  if (platform !== "linux") return "the system's";
  const [major = 0, minor = 0] = (glibc ?? "").split(".").map(Number);
  const [oldMajor, oldMinor] = oldestGlibc;
  if (major > oldMajor || (major === oldMajor && minor >= oldMinor)) return `glibc ${glibc}`;
  const needed = `glibc ${oldestGlibc.join(".")} or later`;
  throw new OpenFlamingoError(
    "backend",
    `the C library is ${glibc === undefined ? "not glibc" : `glibc ${glibc}`}; ONNX Runtime needs ${needed}`,
    { hint: "Use a system with glibc: Debian or Ubuntu in place of Alpine, or a newer release." },
  );
}
