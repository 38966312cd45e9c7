/** The tiny test model on a hub of this machine, as if it were a released one. */
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import type { RepositoryAt } from "../../src/hub/languageModel.node.js";
import type { FlamingoConfig } from "../../src/models/flamingo.js";
import { mpt } from "../../src/models/mpt.js";
import { type HubModel, releasedModels, requireReleased } from "../../src/released/releasedModels.node.js";
import { randomModelFolder } from "../goldens.js";
import {
  cacheFolder,
  commitA,
  type ServedFile,
  sha256,
  startHub,
  type TestHub,
  type TestRepository,
} from "./server.js";

export const name = "openflamingo/OpenFlamingo-9B-vitl-mpt7b";
export const language = "anas-awadalla/mpt-7b";
export const languageCommit = "c".repeat(40);
export const clipTokenizer = "openai/clip-vit-large-patch14";
export const clipCopyCommit = "9".repeat(40);
export const clipCopy = "timm/vit_large_patch14_clip_224.openai";

type Files = Readonly<Record<string, ServedFile>>;

const filesOf = async (folder: string): Promise<Files> => {
  const names = await readdir(folder);
  const read = names.map(async (each) => [
    each,
    { bytes: await readFile(join(folder, each)), isLarge: /\.(bin|safetensors|pt)$/.test(each) },
  ]);
  return Object.fromEntries(await Promise.all(read));
};

const { config: released } = requireReleased(name);
/** That tests need no disk with room for the released model; as in `asReleased.mjs`. */
const smallConfig: FlamingoConfig = {
  ...{ ...released, vision: { ...released.vision, hiddenSize: 64, layers: 2 } },
  language: mpt({
    ...{ vocabulary: 500, contextLength: 128, layers: 4, hiddenSize: 64, heads: 4 },
    ...{ mlpRatio: 4, alibiMax: 8 },
  }),
};

export interface Release {
  readonly hub: TestHub;
  readonly model: HubModel;
  /** OpenAI's file. */
  readonly clip: Uint8Array;
  /** The trained weights are from now on those of another commit. */
  readonly publish: (commit: string) => void;
}

/**
 * @param folder of the model; CLIP's tokenizer is on the hub if it is in there
 * @param pinned another repository with the language model
 * @param pace of the trained weights, see `ServedFile`
 * @param copy files of the hub's copy of CLIP
 * @param config what room and memory are reckoned from; not that of the model itself
 */
export async function startRelease({
  folder = randomModelFolder,
  change = (files: Files) => files,
  pinned = undefined as RepositoryAt | undefined,
  pace = undefined as number | undefined,
  copy = {} as Files,
  config = smallConfig,
} = {}): Promise<Release> {
  const checkpoint = {
    bytes: await readFile(join(folder, "checkpoint.pt")),
    isLarge: true,
    ...(pace && { pace }),
  };
  const clip = await readFile(join(folder, "clip/open_clip_pytorch_model.bin"));
  const languageFiles = change(await filesOf(join(folder, "lang")));
  const { "tokenizer.json": tokenizer } = await filesOf(join(folder, "clip"));
  const repositories: Record<string, TestRepository> = {
    [name]: { commit: commitA, files: { "checkpoint.pt": checkpoint } },
    [language]: { commit: languageCommit, files: languageFiles },
    ...(pinned && { [pinned.repository]: { commit: pinned.revision, files: languageFiles } }),
    ...(tokenizer && { [clipTokenizer]: { commit: "e".repeat(40), files: { "tokenizer.json": tokenizer } } }),
    ...(Object.keys(copy).length > 0 && { [clipCopy]: { commit: clipCopyCommit, files: copy } }),
    "open/clip": { commit: "d".repeat(40), files: { "ViT-L-14.pt": { bytes: clip, isLarge: true } } },
  };
  const hub = await startHub(repositories);
  onTestFinished(() => hub.close());
  const model: HubModel = {
    name,
    languages: [{ repository: language, revision: "main" }],
    config,
    clip: {
      name: "ViT-L-14.pt",
      address: `${hub.endpoint}/cdn/${sha256(clip)}`,
      sha256: sha256(clip),
      size: clip.length,
      copy: clipCopy,
    },
    visionJson: JSON.parse(await readFile(join(folder, "clip/open_clip_config.json"), "utf8")),
  };
  const publish = (commit: string) => {
    repositories[name] = { ...repositories[name]!, commit };
  };
  return { hub, model, clip, publish };
}

/**
 * A home with nothing in it but OpenAI's file, which comes from no hub; and the environment variables that lead to it
 * and to the release.
 */
export async function homeOf({ hub, clip }: Release) {
  const home = await cacheFolder();
  await mkdir(join(home, "clip"));
  await writeFile(join(home, "clip", "ViT-L-14.pt"), clip);
  return {
    home,
    cache: join(home, "huggingface/hub"),
    prepared: join(home, "huggingface/assets/openflamingo/prepared"),
    env: { XDG_CACHE_HOME: home, HF_ENDPOINT: hub.endpoint },
  };
}

/** Until the end of the test, this process has these environment variables and takes the model for a released one. */
export function pretend(model: HubModel, env: Readonly<Record<string, string>>): void {
  const before = { ...process.env };
  Object.assign(process.env, env);
  const models = releasedModels as HubModel[];
  const at = models.findIndex((each) => each.name === model.name);
  const released = models[at]!;
  models[at] = model;
  onTestFinished(() => {
    models[at] = released;
    for (const key of Object.keys(env)) {
      if (before[key] === undefined) delete process.env[key];
      else process.env[key] = before[key];
    }
  });
}
