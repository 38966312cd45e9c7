/** `openflamingo data …`: tools for training data, one command a file. */
import type { Command } from "commander";
import { dataFetch } from "./dataFetch.js";
import { dataPack } from "./dataPack.js";

export function data(program: Command): void {
  const command = program
    .command("data")
    .summary("make shards of training data")
    .description("Makes shards of training data: packs images that are here, or fetches those of a list.");
  dataPack(command);
  dataFetch(command);
}
