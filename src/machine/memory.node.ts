/** The memory of the machine that this process runs on. */
import { readFileSync } from "node:fs";
import { freemem, totalmem } from "node:os";
import { linuxMemory, type Memory, type ProcessMemory, type ReadText } from "./memory.js";

/** Files under /proc and /sys are made when they are read: nothing is waited for. */
export const readSystemText: ReadText = (path) => {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
};

/**
 * What is free now. On Windows that is the system's own number. macOS counts as free only what nothing was ever in,
 * a small part of what it would give: there, all memory of the machine is taken for free.
 */
export function readMemory(platform: string = process.platform, read = readSystemText): Memory {
  const linux = platform === "linux" ? linuxMemory(read) : undefined;
  if (linux) return linux;
  const total = totalmem();
  return { free: platform === "win32" ? freemem() : total, total };
}

export const readProcessMemory = (): ProcessMemory => ({
  ...readMemory(),
  buffers: process.memoryUsage().arrayBuffers,
});

/** Bytes that this process has had in memory at most, since it began. */
export const highestMemory = (): number => 1024 * process.resourceUsage().maxRSS;
