#!/usr/bin/env node
/** What `openflamingo` starts. Node's version is checked before anything is loaded that an old Node cannot load. */
import { requireNode } from "../base/nodeVersion.node.js";

try {
  requireNode();
  await import("./main.js");
} catch (error) {
  const { createTerminal } = await import("./terminal.js");
  const json = process.argv.includes("--json");
  process.exitCode = createTerminal({ json, quiet: false }).error(error);
}
