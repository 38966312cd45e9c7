/** Free memory from the files of a Linux system, given as texts. */
import { expect, test } from "vitest";
import { groupFolders, linuxMemory, type ReadText, readMeminfo } from "../../src/machine/memory.js";
import { readMemory, readProcessMemory } from "../../src/machine/memory.node.js";

const meminfo = `MemTotal:       24683892 kB
MemFree:         7994736 kB
MemAvailable:   20000000 kB
Buffers:          210368 kB
`;
const free = 20_000_000 * 1024;
const total = 24_683_892 * 1024;
const GiB = 2 ** 30;

const mounts = {
  v2: "30 23 0:26 / /sys/fs/cgroup rw,nosuid,relatime shared:9 - cgroup2 cgroup2 rw,nsdelegate",
  v1: "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory",
  v1Cpu: "32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu,cpuacct",
  docker: "35 31 0:32 /docker/abc /sys/fs/cgroup/memory ro,relatime - cgroup cgroup rw,memory",
  root: "1 0 8:1 / / rw,relatime - ext4 /dev/root rw",
};

/** A system of these files. */
const system =
  (files: Readonly<Record<string, string>>): ReadText =>
  (path) =>
    ({ "/proc/meminfo": meminfo, ...files })[path];

test("without a control group, what the kernel says is available is free", () => {
  expect(readMeminfo(meminfo)).toEqual({ free, total });
  expect(linuxMemory(system({}))).toEqual({ free, total });
  expect(readMeminfo("MemTotal: 5 kB\n")).toBeUndefined();
  expect(linuxMemory(() => undefined)).toBeUndefined();
});

test("version 2: the least over all groups counts, and files in the cache are free", () => {
  const read = system({
    "/proc/self/cgroup": "0::/user.slice/session/job\n",
    "/proc/self/mountinfo": `${mounts.root}\n${mounts.v2}\n`,
    "/sys/fs/cgroup/user.slice/memory.max": "max\n",
    "/sys/fs/cgroup/user.slice/memory.high": `${8 * GiB}\n`,
    "/sys/fs/cgroup/user.slice/memory.current": `${7 * GiB}\n`,
    "/sys/fs/cgroup/user.slice/memory.stat": `anon 5\ninactive_file ${2 * GiB}\nactive_file ${GiB}\n`,
    "/sys/fs/cgroup/user.slice/session/memory.max": `${16 * GiB}\n`,
    "/sys/fs/cgroup/user.slice/session/memory.current": `${7 * GiB}\n`,
    "/sys/fs/cgroup/user.slice/session/job/memory.max": "max\n",
  });
  expect(linuxMemory(read)).toEqual({
    free: 4 * GiB,
    total: 8 * GiB,
    limitedBy: "/sys/fs/cgroup/user.slice",
  });
});

test("version 2: memory.max and memory.high, the smaller one; a group that is over it has nothing free", () => {
  const files = {
    "/proc/self/cgroup": "0::/\n",
    "/proc/self/mountinfo": mounts.v2,
    "/sys/fs/cgroup/memory.max": `${6 * GiB}`,
    "/sys/fs/cgroup/memory.high": `${9 * GiB}`,
  };
  const at = (current: number) =>
    linuxMemory(system({ ...files, "/sys/fs/cgroup/memory.current": `${current}` }))!;
  expect(at(GiB)).toEqual({ free: 5 * GiB, total: 6 * GiB, limitedBy: "/sys/fs/cgroup" });
  expect(at(7 * GiB).free).toBe(0);
});

test("a limit above what the machine has free does not name the group", () => {
  const read = system({
    "/proc/self/cgroup": "0::/",
    "/proc/self/mountinfo": mounts.v2,
    "/sys/fs/cgroup/memory.max": `${23 * GiB}`,
    "/sys/fs/cgroup/memory.current": `${GiB}`,
  });
  expect(linuxMemory(read)).toEqual({ free, total: 23 * GiB, limitedBy: undefined });
});

test("version 1: the group of the memory controller, with what lies below it", () => {
  const read = system({
    "/proc/self/cgroup": "9:name=systemd:/\n4:memory,hugetlb:/jobs/a:b\n3:cpuset:/x\n0::/\n",
    "/proc/self/mountinfo": `${mounts.v1Cpu}\n${mounts.v1}\n41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n`,
    "/sys/fs/cgroup/memory/jobs/a:b/memory.limit_in_bytes": `${4 * GiB}\n`,
    "/sys/fs/cgroup/memory/jobs/a:b/memory.usage_in_bytes": `${3 * GiB}\n`,
    "/sys/fs/cgroup/memory/jobs/a:b/memory.stat":
      "inactive_file 1\nactive_file 1\ntotal_inactive_file 1000\ntotal_active_file 24\n",
    "/sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
    "/sys/fs/cgroup/memory/memory.usage_in_bytes": `${9 * GiB}\n`,
  });
  expect(linuxMemory(read)).toEqual({
    free: GiB + 1024,
    total: 4 * GiB,
    limitedBy: "/sys/fs/cgroup/memory/jobs/a:b",
  });
});

test.each([
  [
    "a group of the host's that is mounted as the root",
    mounts.docker,
    "/docker/abc",
    ["/sys/fs/cgroup/memory"],
  ],
  [
    "one below it",
    mounts.docker,
    "/docker/abc/inner",
    ["/sys/fs/cgroup/memory/inner", "/sys/fs/cgroup/memory"],
  ],
  ["one outside of it", mounts.docker, "/docker/abcd", ["/sys/fs/cgroup/memory"]],
  ["one outside of the namespace", mounts.v1, "/../../other", ["/sys/fs/cgroup/memory"]],
  [
    "a mount with a space in its name",
    mounts.v1.replace("/sys/fs/cgroup/memory", "/my\\040groups"),
    "/a",
    ["/my groups/a", "/my groups"],
  ],
])("%s", (_, mount, path, folders) => {
  const read = system({ "/proc/self/cgroup": `4:memory:${path}\n`, "/proc/self/mountinfo": mount });
  expect(groupFolders(read)).toEqual(folders);
});

test("elsewhere: Windows says what is free; of macOS, the whole machine is", () => {
  const none: ReadText = () => undefined;
  const mac = readMemory("darwin", none);
  expect(mac.free).toBe(mac.total);
  expect(readMemory("win32", none).free).toBeLessThan(mac.total);
  const here = readProcessMemory();
  expect(here.free).toBeGreaterThan(0);
  expect(here.free).toBeLessThanOrEqual(here.total);
  expect(here.buffers).toBeGreaterThan(0);
});
