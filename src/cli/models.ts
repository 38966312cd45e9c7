/** `openflamingo models`: what was downloaded and what was prepared, and its removal. */
import { type Command, Option } from "commander";
import { OpenFlamingoError } from "../base/errors.js";
import { nearest } from "../base/nearest.js";
import { quoted } from "../base/quoted.js";
import { readModelFolder } from "../checkpoints/modelFolder.node.js";
import { openPrepared } from "../checkpoints/preparedFolder.node.js";
import { bytesIn, cachedRepositories, damagedBlobs, removeFolder } from "../hub/cachedModels.node.js";
import { type HubSettings, readHubSettings } from "../hub/settings.node.js";
import { preparedModels } from "../released/preparedModels.node.js";
import { releasedModels } from "../released/releasedModels.node.js";
import { repeated } from "./options.js";
import { shownBytes } from "./rate.js";
import { createTerminal, type Terminal } from "./terminal.js";

interface ModelsFlags {
  readonly downloaded?: true;
  readonly prepared?: true;
  readonly check?: true;
  readonly remove?: readonly string[];
  readonly dryRun?: true;
  readonly json?: true;
}

/** A folder that takes room. */
interface Entry {
  readonly kind: "downloaded" | "prepared";
  readonly name: string;
  readonly path: string;
  readonly bytes: number;
  readonly isUnfinished: boolean;
  /** Of a prepared folder. */
  readonly format?: string;
  readonly isOfThisVersion?: boolean;
}

export function models(program: Command): void {
  program
    .command("models")
    .summary("what was downloaded and prepared")
    .description(
      "Lists the models that were downloaded and prepared, with their sizes, and the released ones.",
    )
    .addOption(new Option("--downloaded", "only what was downloaded").conflicts("prepared"))
    .option("--prepared", "only what was prepared")
    .option(
      "--remove <name>",
      "remove what has this name, in both forms unless one is chosen; may be repeated",
      repeated,
    )
    .addOption(new Option("--check", "compare all of it with its checksums").conflicts("remove"))
    .option("--dry-run", "with --remove: only say what would be removed")
    .option("--json", "one JSON object a line")
    .addHelpText(
      "after",
      `
Examples:
  openflamingo models
  openflamingo models --check
  openflamingo models --remove openflamingo/OpenFlamingo-3B-vitl-mpt1b --dry-run
  openflamingo models --downloaded --remove openflamingo/OpenFlamingo-9B-vitl-mpt7b --remove mosaicml/mpt-7b`,
    )
    .action(async ({ downloaded, prepared, check, remove, dryRun, json }: ModelsFlags) => {
      const terminal = createTerminal({ json: json ?? false, quiet: false });
      try {
        const settings = await readHubSettings();
        const entries = [
          ...(prepared ? [] : await downloadedEntries(settings)),
          ...(downloaded ? [] : await preparedEntries(settings)),
        ];
        if (remove) await removeNamed(entries, remove, terminal, dryRun ?? false);
        else if (check) process.exitCode = await checkAll(entries, terminal);
        else list(entries, terminal);
        process.exitCode = terminal.stopped() ?? process.exitCode ?? 0;
      } catch (error) {
        process.exitCode = terminal.error(error);
      }
    });
}

async function downloadedEntries({ cache }: HubSettings): Promise<readonly Entry[]> {
  const repositories = await cachedRepositories(cache);
  return repositories.map((each) => ({ kind: "downloaded", ...each }));
}

async function preparedEntries(settings: HubSettings): Promise<readonly Entry[]> {
  const found = await preparedModels(settings);
  return Promise.all(
    found.map(async (each) => ({ kind: "prepared" as const, ...each, bytes: await bytesIn(each.path) })),
  );
}

function list(entries: readonly Entry[], terminal: Terminal): void {
  for (const entry of entries) terminal.line(terminal.json ? JSON.stringify(entry) : shown(entry));
  if (terminal.json) return;
  if (entries.length === 0) terminal.notice("no models are there");
  const known = releasedModels.filter(({ name }) => !entries.some((each) => each.name === name));
  if (known.length === 0) return;
  terminal.notice("to be fetched by openflamingo download, or prepare:");
  for (const { name } of known) terminal.notice(`          ${name}`);
}

const shown = ({ kind, name, bytes, format, isOfThisVersion = true, isUnfinished }: Entry): string => {
  const faults = [...(isOfThisVersion ? [] : ["of another version"]), ...(isUnfinished ? ["not whole"] : [])];
  const what = [kind, ...(format ? [format] : []), ...faults].join(", ");
  return `${shownBytes(bytes).padStart(8)}  ${name} (${what})`;
};

/** Compares what is whole with its checksums. @returns the exit code: what is damaged does not keep from the rest */
async function checkAll(entries: readonly Entry[], terminal: Terminal): Promise<number> {
  let code = 0;
  const isToCheck = ({ kind, isUnfinished, isOfThisVersion }: Entry) =>
    kind === "downloaded" || (!isUnfinished && isOfThisVersion);
  for (const entry of entries.filter(isToCheck)) {
    try {
      await checkEntry(entry, terminal);
      const { kind, name, path } = entry;
      terminal.line(
        terminal.json ? JSON.stringify({ checked: name, kind, path }) : `sound: ${shown(entry).trim()}`,
      );
    } catch (error) {
      code = terminal.error(error);
    }
  }
  return code;
}

/** @throws OpenFlamingoError `checkpoint-damaged`, `model-…` */
async function checkEntry({ kind, name, path }: Entry, { signal, bytes }: Terminal): Promise<void> {
  if (kind === "prepared") {
    const model = await readModelFolder(path, signal);
    if (!("prepared" in model)) return;
    const onProgress = (done: number, total: number) => bytes(done, total, `checking ${name}`);
    await openPrepared(path, model.prepared.sha256, { again: true, signal, onProgress });
    return;
  }
  const [damaged] = await damagedBlobs(path, signal);
  if (damaged === undefined) return;
  throw new OpenFlamingoError(
    "checkpoint-damaged",
    `${damaged}: its content has another hash than its name says`,
    {
      hint: "Remove it, and it is fetched again.",
    },
  );
}

/** @throws OpenFlamingoError `model-missing` for a name that nothing has, before anything is removed */
async function removeNamed(
  entries: readonly Entry[],
  names: readonly string[],
  terminal: Terminal,
  isDry: boolean,
): Promise<void> {
  for (const name of names) requireNamed(entries, name);
  for (const entry of entries.filter(({ name }) => names.includes(name))) {
    if (!isDry) await removeFolder(entry.path);
    const { kind, name, path, bytes } = entry;
    terminal.line(
      terminal.json
        ? JSON.stringify({ [isDry ? "wouldRemove" : "removed"]: name, kind, path, bytes })
        : `${isDry ? "would remove" : "removed"} ${shown(entry).trim()}, ${path}`,
    );
  }
  for (const { name, bytes } of leftBehind(entries, names)) {
    const it = `${name} (${shownBytes(bytes)})`;
    terminal.notice(`its language model stays: ${it}; openflamingo models --remove ${name}`);
  }
}

function requireNamed(entries: readonly Entry[], name: string): void {
  const names = entries.map((each) => each.name);
  if (names.includes(name)) return;
  const meant = nearest(name, names);
  throw new OpenFlamingoError("model-missing", `${quoted(name)} is not among the models that are there`, {
    hint: meant ? `Did you mean ${meant}?` : "openflamingo models lists what is there.",
  });
}

/** The downloaded language models of models that are removed. */
const leftBehind = (entries: readonly Entry[], names: readonly string[]): readonly Entry[] => {
  const downloaded = entries.filter(({ kind }) => kind === "downloaded");
  const removed = releasedModels.filter(
    ({ name }) => names.includes(name) && downloaded.some((each) => each.name === name),
  );
  const languages = removed.flatMap((model) => model.languages.map(({ repository }) => repository));
  return downloaded.filter(({ name }) => languages.includes(name) && !names.includes(name));
};
