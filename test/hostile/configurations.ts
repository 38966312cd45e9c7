/**
 * A model folder whose JSON files are changed in one place at a time: every number, or every string, of every file.
 */
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { createModelAndTransforms, load } from "../../src/index.js";
import { createFlamingoTokenizer } from "../../src/text/flamingoTokens.js";
import { golden, goldenModel } from "../goldens.js";

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
type Path = readonly (string | number)[];

export interface Change {
  /** Relative to the model's folder. */
  readonly file: string;
  readonly path: Path;
  readonly value: Json;
}

export const nameOf = ({ file, path, value }: Change): string =>
  `${file}: ${path.join(".")} = ${JSON.stringify(value)}`;

/** What came of a change: an answer, or an error. */
export interface Outcome {
  readonly change: Change;
  readonly answer?: unknown;
  readonly error?: unknown;
  readonly notices: readonly string[];
  readonly seconds: number;
  /** MiB by which the process's peak has grown. */
  readonly memory: number;
}

/** A copy of a golden model, to be changed. */
export function changeableModel(name: string) {
  const root = mkdtempSync(join(tmpdir(), "configurations-"));
  const folder = join(root, name);
  cpSync(goldenModel(name), folder, { recursive: true });
  rmSync(join(folder, "golden"), { recursive: true, force: true });
  const files = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.name.endsWith(".json"))
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
    .sort();
  const original = new Map(files.map((file) => [file, readFileSync(join(folder, file), "utf8")]));

  /** Every place in the files that holds a value of this kind, with each of the values. */
  const changes = (isWanted: (value: Json) => boolean, values: readonly Json[]): Change[] =>
    files.flatMap((file) =>
      placesIn(JSON.parse(original.get(file)!), isWanted).flatMap((path) =>
        values.map((value) => ({ file, path, value })),
      ),
    );

  /** The change that changes nothing. */
  const noChange = (file: string): Change => ({ file, path: [], value: JSON.parse(original.get(file)!) });

  async function outcomeOf(change: Change): Promise<Outcome> {
    const text = JSON.stringify(changed(JSON.parse(original.get(change.file)!), change.path, change.value));
    writeFileSync(join(folder, change.file), text);
    const notices: string[] = [];
    const before = process.resourceUsage().maxRSS;
    const start = performance.now();
    let result: { answer: unknown } | { error: unknown };
    try {
      result = { answer: await answerOf(folder, change.file, notices) };
    } catch (error) {
      result = { error };
    }
    const seconds = (performance.now() - start) / 1000;
    writeFileSync(join(folder, change.file), original.get(change.file)!);
    const memory = (process.resourceUsage().maxRSS - before) / 1024;
    return { change, ...result, notices, seconds, memory };
  }

  return { folder, files, changes, noChange, outcomeOf, close: () => rmSync(root, { recursive: true }) };
}

/** What the model answers, as far as the changed file has a part in it. */
async function answerOf(folder: string, file: string, notices: string[]): Promise<unknown> {
  if (/lang\/(tokenizer|special_tokens)/.test(file)) return tokenizerAnswer(join(folder, "lang"));
  if (file === "lang/generation_config.json") {
    const { tokenizer } = await createModelAndTransforms({
      clipVisionEncoderPath: join(folder, "clip"),
      clipVisionEncoderPretrained: join(folder, "clip/open_clip_pytorch_model.pt"),
      langEncoderPath: join(folder, "lang"),
      tokenizerPath: join(folder, "lang"),
    });
    return tokenizer.size;
  }
  const flamingo = await load(folder, { threads: 1, onNotice: (text) => notices.push(text) });
  try {
    const { ids } = await flamingo.caption(golden("photos/chelsea.png"), { maxNewTokens: 6 });
    return ids;
  } finally {
    await flamingo.close();
  }
}

/** Without the rest of the model: its vocabulary alone has hundreds of numbers. */
function tokenizerAnswer(folder: string): unknown {
  const read = (name: string) => JSON.parse(readFileSync(join(folder, name), "utf8"));
  const { encode, special, size } = createFlamingoTokenizer(read("tokenizer.json"), {
    specialTokensMap: read("special_tokens_map.json"),
    tokenizerConfig: read("tokenizer_config.json"),
  });
  return [encode("<image>A photo of two  cats, don't ask.<|endofchunk|>"), special, size];
}

function placesIn(json: Json, isWanted: (value: Json) => boolean, path: Path = []): Path[] {
  if (isWanted(json)) return [path];
  if (json === null || typeof json !== "object") return [];
  const entries: [string | number, Json][] = Array.isArray(json) ? [...json.entries()] : Object.entries(json);
  return entries.flatMap(([key, value]) => placesIn(value, isWanted, [...path, key]));
}

function changed(json: Json, [key, ...rest]: Path, value: Json): Json {
  if (key === undefined) return value;
  if (Array.isArray(json)) return json.map((item, i) => (i === key ? changed(item, rest, value) : item));
  const object = json as { [key: string]: Json };
  return { ...object, [key]: changed(object[key]!, rest, value) };
}
