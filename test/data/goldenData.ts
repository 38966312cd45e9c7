/** The golden set `data`: what the reference implementation makes of shards and documents. */
import { readFileSync } from "node:fs";
import { describe } from "vitest";
import { createFlamingoTokenizer, type FlamingoTokenizer } from "../../src/text/flamingoTokens.js";
import { golden, hasGolden } from "../goldens.js";

/** A file of the set. */
export const dataFile = (name: string): string => golden(`data/${name}`);

export const readData = <T>(name: string): T => JSON.parse(readFileSync(dataFile(name), "utf8")) as T;

/** Tests that need the set; where it is not at hand they are skipped, and say so. */
export function describeWithData(name: string, body: () => void): void {
  if (hasGolden("data/README.md")) describe(name, body);
  else {
    console.log(`skipped, as goldens/data is not at hand: ${name}`);
    describe.skip(name, body);
  }
}

let tokenizer: FlamingoTokenizer | undefined;

/** The tokenizer that the set was made with. */
export function dataTokenizer(): FlamingoTokenizer {
  tokenizer ??= createFlamingoTokenizer(readData("tokenizer/tokenizer.json"), {
    tokenizerConfig: readData("tokenizer/tokenizer_config.json"),
  });
  return tokenizer;
}
