/** `openflamingo download NAME`: fetches a released model into the hub's cache folder. */
import type { Command } from "commander";
import { readHubSettings } from "../hub/settings.node.js";
import { fetchModel } from "../released/fetchModel.node.js";
import { requireReleased } from "../released/releasedModels.node.js";
import { createTerminal } from "./terminal.js";

interface DownloadFlags {
  readonly revision?: string;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

export function download(program: Command): void {
  program
    .command("download")
    .summary("fetch a released model")
    .description("Fetches what is missing of a released model, with its language model and vision encoder.")
    .argument("<name>", "its name on the hub")
    .option("--revision <name>", "a branch, a tag or a commit of the model (default: main)")
    .option("--json", "one JSON object")
    .option("--quiet", "no progress and no notices")
    .addHelpText(
      "after",
      `
The commands with --model, and prepare, fetch by themselves what is missing: this one fetches a newer revision too.
A download that was stopped goes on where it was. Files are kept in the cache folder of Python's huggingface_hub:
HF_HOME, HF_HUB_CACHE, HF_TOKEN, HF_ENDPOINT and HF_HUB_OFFLINE count.

Examples:
  openflamingo download openflamingo/OpenFlamingo-3B-vitl-mpt1b
  openflamingo caption --model openflamingo/OpenFlamingo-3B-vitl-mpt1b photo.jpg`,
    )
    .action(async (name: string, { revision, json = false, quiet = false }: DownloadFlags) => {
      const terminal = createTerminal({ json, quiet });
      try {
        const model = requireReleased(name);
        const settings = await readHubSettings();
        const { signal, bytes: onProgress, notice: onNotice } = terminal;
        const hub = { settings, signal, onProgress, onNotice };
        const { folder, language, vision } = await fetchModel(model, hub, { revision });
        const found = { name, checkpoint: folder, language: language.weights, vision: vision.weights };
        terminal.line(
          json
            ? JSON.stringify(found)
            : Object.entries(found)
                .map(([part, path]) => `${`${part}:`.padEnd(12)}${path}`)
                .join("\n"),
        );
        process.exitCode = terminal.stopped() ?? 0;
      } catch (error) {
        process.exitCode = terminal.error(error);
      }
    });
}
