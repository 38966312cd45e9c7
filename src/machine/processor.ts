/**
 * What the processor can do that matters here, from what Linux says of it: the backend's kernels choose by themselves,
 * and a processor without any of these is slow.
 */
import type { ReadText } from "./memory.js";

/** Instruction sets by Linux's names of them: of x64 in `flags`, of arm64 in `Features` of /proc/cpuinfo. */
const known: Readonly<Record<string, string>> = {
  ...{ avx2: "AVX2", fma: "FMA", f16c: "F16C", avx512f: "AVX-512", avx512_vnni: "AVX-512 VNNI" },
  ...{ avx_vnni: "AVX-VNNI", avx512_bf16: "AVX-512 BF16", amx_int8: "AMX INT8", amx_bf16: "AMX BF16" },
  ...{ asimd: "NEON", asimddp: "dot product", i8mm: "I8MM", bf16: "BF16", sve: "SVE" },
};

/** @returns undefined where the system does not say */
export function instructionSets(read: ReadText): readonly string[] | undefined {
  const line = /^(?:flags|Features)\s*: (.*)$/m.exec(read("/proc/cpuinfo") ?? "")?.[1];
  const flags = new Set(line?.split(" "));
  return line === undefined
    ? undefined
    : Object.keys(known).flatMap((flag) => (flags.has(flag) ? known[flag]! : []));
}

/** Makers of graphics processors by the numbers that PCI has for them. */
const makers: Readonly<Record<string, string>> = { "0x10de": "NVIDIA", "0x1002": "AMD", "0x8086": "Intel" };

/**
 * The graphics processors that Linux shows: NVIDIA's by name, others by their maker.
 *
 * @param list names in a folder; none where it is not there
 */
export function graphicsAdapters(
  read: ReadText,
  list: (folder: string) => readonly string[],
): readonly string[] {
  const nvidia = list("/proc/driver/nvidia/gpus").flatMap(
    (gpu) => /^Model:\s*(.+)$/m.exec(read(`/proc/driver/nvidia/gpus/${gpu}/information`) ?? "")?.[1] ?? [],
  );
  const cards = list("/sys/class/drm").filter((name) => /^card\d+$/.test(name));
  const others = cards.flatMap((card) => {
    const maker = makers[read(`/sys/class/drm/${card}/device/vendor`)?.trim() ?? ""];
    return maker === undefined || (maker === "NVIDIA" && nvidia.length > 0) ? [] : [`${maker} graphics`];
  });
  return [...nvidia, ...others];
}
