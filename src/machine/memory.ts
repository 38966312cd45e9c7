/**
 * How much memory this process may really use: what the machine has free, and what the control groups leave in which
 * a container, a service or a job runs. A process that takes more is killed without a word.
 *
 * Source: Linux, Documentation/admin-guide/cgroup-v2.rst, "Memory", and cgroup-v1/memory.rst; proc(5), `meminfo`,
 * `cgroup` and `mountinfo`. Node's own `process.availableMemory()` counts the file cache of a control group as used, so
 * that a machine that has read a model once seems to be full of it.
 */

/** Sizes in bytes. */
export interface Memory {
  /** What may be taken now. Files in the system's cache count as free, swap does not: it is too slow for weights. */
  readonly free: number;
  /** What there is in all: the machine's, or the smallest limit of a control group. */
  readonly total: number;
  /** The folder of the control group that leaves least, where that is less than the machine has free. */
  readonly limitedBy?: string | undefined;
}

/** What there is when a model works: beside the free memory, what this process will give back by itself. */
export interface ProcessMemory extends Memory {
  /** What array buffers of this process take, with those that nothing uses and that are not collected yet. */
  readonly buffers: number;
}

/** Text of a file of the system; undefined where it is not there or cannot be read. */
export type ReadText = (path: string) => string | undefined;

/** @returns undefined on a system without Linux's files */
export function linuxMemory(read: ReadText): Memory | undefined {
  const machine = readMeminfo(read("/proc/meminfo") ?? "");
  if (!machine) return undefined;
  let memory: Memory = machine;
  let total = machine.total;
  for (const folder of groupFolders(read)) {
    const group = readGroup(folder, read);
    if (!group) continue;
    total = Math.min(total, group.limit);
    const free = Math.max(0, group.limit - group.used);
    if (free < memory.free) memory = { free, total, limitedBy: folder };
  }
  return { ...memory, total };
}

/** Of `/proc/meminfo`. */
export function readMeminfo(text: string): Memory | undefined {
  const [free, total] = ["MemAvailable", "MemTotal"].map((name) => {
    const kibibytes = new RegExp(`^${name}:\\s*(\\d+) kB$`, "m").exec(text)?.[1];
    return kibibytes === undefined ? undefined : 1024 * Number(kibibytes);
  });
  return free === undefined || total === undefined ? undefined : { free, total };
}

/**
 * The folders of the control groups that this process is in, innermost first: a limit of any of them counts. Both
 * versions of control groups may be there, and memory is under one of them.
 */
export function groupFolders(read: ReadText): readonly string[] {
  const groups = (read("/proc/self/cgroup") ?? "").split("\n").flatMap((line) => {
    const [, id, controllers, path] = /^(\d+):([^:]*):(.*)$/.exec(line) ?? [];
    const version = id === "0" && controllers === "" ? 2 : 1;
    const hasMemory = version === 2 || controllers?.split(",").includes("memory");
    return path !== undefined && hasMemory ? [{ version, path }] : [];
  });
  return readMounts(read("/proc/self/mountinfo") ?? "").flatMap(({ version, root, at }) => {
    const path = groups.find((group) => group.version === version)?.path;
    return path === undefined ? [] : upwards(at, belowRoot(path, root));
  });
}

/** The places where control groups with memory are mounted, of `/proc/self/mountinfo`. */
function readMounts(text: string): readonly { version: 1 | 2; root: string; at: string }[] {
  return text.split("\n").flatMap((line) => {
    const [before = "", after = ""] = line.split(" - ");
    const [, , , root, at] = before.split(" ").map(unescaped);
    const [kind, , options = ""] = after.split(" ");
    const version =
      kind === "cgroup2" ? 2 : kind === "cgroup" && options.split(",").includes("memory") ? 1 : 0;
    return version === 0 || root === undefined || at === undefined ? [] : [{ version, root, at }];
  });
}

/** Spaces and the like are octal there: `\040`. */
const unescaped = (text: string): string =>
  text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));

/** A group's path below the group that is mounted. In a container it may be a path outside: then that one is all. */
function belowRoot(path: string, root: string): string {
  if (path.split("/").includes("..")) return "";
  if (root === "/") return path.replace(/\/$/, "");
  return path.startsWith(`${root}/`) ? path.slice(root.length) : "";
}

/** `/mount/a/b`, `/mount/a`, `/mount`. */
function upwards(mount: string, path: string): readonly string[] {
  const parts = path.split("/").filter((part) => part !== "");
  return Array.from({ length: parts.length + 1 }, (_, up) =>
    [mount, ...parts.slice(0, parts.length - up)].join("/"),
  );
}

/** A control group's limit, and what of it is in use; undefined without a limit. */
function readGroup(folder: string, read: ReadText): { limit: number; used: number } | undefined {
  const number = (file: string) => {
    const text = read(`${folder}/${file}`)?.trim();
    return text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined; // or "max"
  };
  const limits = ["memory.max", "memory.high", "memory.limit_in_bytes"].map(number);
  const limit = Math.min(...limits.map((each) => each ?? Number.POSITIVE_INFINITY));
  const current = number("memory.current") ?? number("memory.usage_in_bytes");
  if (limit === Number.POSITIVE_INFINITY || current === undefined) return undefined;
  return { limit, used: Math.max(0, current - fileCache(read(`${folder}/memory.stat`) ?? "")) };
}

/**
 * Bytes of files that the kernel drops when memory is wanted, of `memory.stat`. Both of its lists count, as they do in
 * `MemAvailable`: a checkpoint that was read twice is on the active one.
 */
function fileCache(text: string): number {
  const found = new Map(
    [...text.matchAll(/^(\w+) (\d+)$/gm)].map(([, name, bytes]) => [name!, Number(bytes)] as const),
  );
  const of = (name: string) => found.get(`total_${name}`) ?? found.get(name) ?? 0; // version 1: with those below
  return of("inactive_file") + of("active_file");
}
