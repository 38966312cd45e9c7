/** `openflamingo models`: what is in the hub's cache folder. */
import type { Command } from "commander";
import { releasedModels } from "../api/hubModel.node.js";
import { OpenFlamingoError } from "../base/errors.js";
import { nearest } from "../base/nearest.js";
import { quoted } from "../base/quoted.js";
import { cachedRepositories, removeRepository } from "../hub/cachedModels.node.js";
import { readHubSettings } from "../hub/settings.node.js";
import { shownBytes } from "./rate.js";
import { createTerminal, type Terminal } from "./terminal.js";

interface ModelsFlags {
  readonly remove?: string;
  readonly json?: boolean;
}

export function models(program: Command): void {
  program
    .command("models")
    .summary("what is in the cache folder")
    .description("Lists the models in the hub's cache folder, with their sizes, and the released models.")
    .option("--remove <name>", "remove a repository from the cache folder")
    .option("--json", "one JSON object a line")
    .addHelpText(
      "after",
      `
Examples:
  openflamingo models
  openflamingo models --remove openflamingo/OpenFlamingo-3B-vitl-mpt1b`,
    )
    .action(async ({ remove, json = false }: ModelsFlags) => {
      const terminal = createTerminal({ json, quiet: false });
      try {
        const { cache } = await readHubSettings();
        await (remove === undefined ? list(cache, terminal) : removeNamed(cache, remove, terminal));
        process.exitCode = terminal.stopped() ?? 0;
      } catch (error) {
        process.exitCode = terminal.error(error);
      }
    });
}

async function list(cache: string, terminal: Terminal): Promise<void> {
  const cached = await cachedRepositories(cache);
  const known = releasedModels.filter(({ name }) => !cached.some((each) => each.name === name));
  if (terminal.json) {
    for (const each of cached) terminal.line(JSON.stringify(each));
    return;
  }
  terminal.notice(`in ${cache}:`);
  for (const { name, bytes, isUnfinished } of cached) {
    terminal.line(`${shownBytes(bytes).padStart(8)}  ${name}${isUnfinished ? " (not whole)" : ""}`);
  }
  if (cached.length === 0) terminal.notice("  no models");
  terminal.notice(`to be fetched by openflamingo download:`);
  for (const { name } of known) terminal.notice(`          ${name}`);
}

async function removeNamed(cache: string, name: string, terminal: Terminal): Promise<void> {
  const cached = await cachedRepositories(cache);
  const found = cached.find((each) => each.name === name);
  if (!found) {
    const names = cached.map((each) => each.name);
    const meant = nearest(name, names);
    throw new OpenFlamingoError("model-missing", `${quoted(name)} is not in ${cache}`, {
      hint: meant ? `Did you mean ${meant}?` : "openflamingo models lists what is there.",
    });
  }
  await removeRepository(found);
  const { bytes } = found;
  terminal.line(
    terminal.json ? JSON.stringify({ removed: name, bytes }) : `removed ${name}, ${shownBytes(bytes)}`,
  );
}
