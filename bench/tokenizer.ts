/**
 * How fast is the tokenizer? GPT-NeoX-20B's, over the golden texts and over one long text.
 *
 *     npx tsx bench/tokenizer.ts
 */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import { createTokenizer } from "../src/text/tokenizer.js";
import { report, reportMachine, timed } from "./measure.js";

const golden = (name: string) =>
  readFileSync(fileURLToPath(new URL(`../test/goldens/tokenizer/${name}`, import.meta.url)));
const json = JSON.parse(gunzipSync(golden("neox20b.tokenizer.json.gz")).toString());
const texts: string[] = JSON.parse(golden("neox20b.golden.json").toString()).texts.map(
  ({ t }: { t: string }) => t,
);
const long = texts.join("\n").repeat(12);

reportMachine();
report("making it, after JSON.parse", await timed(() => createTokenizer(json), 9), "ms", 0);
const tokenizer = createTokenizer(json);
const encodeAll = (list: readonly string[]): number =>
  list.reduce((sum, text) => sum + tokenizer.encode(text).length, 0);
for (const [name, list] of Object.entries({ "golden texts": texts, "one long text": [long] })) {
  const tokens = encodeAll(list);
  const times = await timed(() => encodeAll(list), 9);
  const speeds = times.map((ms) => tokens / ms / 1000);
  report(`${name}, ${tokens} tokens`, speeds, "million tokens a second", 2);
}
