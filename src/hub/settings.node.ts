/**
 * Where the hub is and where its files are kept: the environment variables of Python's huggingface_hub.
 *
 * Source: huggingface_hub, "Environment variables".
 */
import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { OpenFlamingoError } from "../base/errors.js";
import { shownAddress } from "../base/webAddress.js";

export interface HubSettings {
  readonly endpoint: URL;
  /** Whether the user named the endpoint: its addresses, and no others, may then be private. */
  readonly isOwnEndpoint: boolean;
  /** The folder of `models--…` folders; absolute. */
  readonly cache: string;
  /** The folder for what libraries make of the hub's files; absolute. */
  readonly assets: string;
  /** The folder of OpenAI's CLIP files, which open_clip uses too; absolute. */
  readonly clipCache: string;
  readonly isOffline: boolean;
  readonly token: string | undefined;
}

type Environment = Readonly<Record<string, string | undefined>>;

const isOn = (value: string | undefined) => /^(1|true|yes|on)$/i.test(value ?? "");

/** @throws OpenFlamingoError `usage` for an HF_ENDPOINT that is no address of the web, or a token with other letters */
export async function readHubSettings(env: Environment = process.env): Promise<HubSettings> {
  const general = env.XDG_CACHE_HOME || join(homedir(), ".cache");
  const home = env.HF_HOME ? atHome(env.HF_HOME) : join(general, "huggingface");
  const cache = env.HF_HUB_CACHE || env.HUGGINGFACE_HUB_CACHE;
  const assets = env.HF_ASSETS_CACHE || env.HUGGINGFACE_ASSETS_CACHE;
  return {
    endpoint: endpointOf(env.HF_ENDPOINT),
    isOwnEndpoint: Boolean(env.HF_ENDPOINT),
    cache: resolve(cache ? atHome(cache) : join(home, "hub")),
    assets: resolve(assets ? atHome(assets) : join(home, "assets")),
    clipCache: resolve(general, "clip"),
    isOffline: isOn(env.HF_HUB_OFFLINE) || isOn(env.TRANSFORMERS_OFFLINE),
    token: await tokenOf(env, home),
  };
}

const atHome = (path: string) => path.replace(/^~(?=$|[/\\])/, homedir());

function endpointOf(text: string | undefined): URL {
  if (!text) return new URL("https://huggingface.co");
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isPlain = url && /^https?:$/.test(url.protocol) && !(url.username || url.password || url.search);
  if (isPlain) return new URL(url.href.replace(/[/#]+$/, ""));
  throw new OpenFlamingoError(
    "usage",
    `HF_ENDPOINT is ${url ? shownAddress(url) : "no address"}; it must be an http: or https: address alone`,
    { hint: "HF_ENDPOINT=https://huggingface.co, or leave it unset." },
  );
}

/** A token goes into a header: a line break in it would begin another one. */
async function tokenOf(env: Environment, home: string): Promise<string | undefined> {
  if (isOn(env.HF_HUB_DISABLE_IMPLICIT_TOKEN) && !env.HF_TOKEN) return undefined;
  const file = env.HF_TOKEN_PATH ? atHome(env.HF_TOKEN_PATH) : join(home, "token");
  const named = env.HF_TOKEN || env.HUGGING_FACE_HUB_TOKEN;
  const token = (named || (await readFile(file, "utf8").catch(() => ""))).trim();
  if (token === "") return undefined;
  if (/^[\x21-\x7e]{1,1000}$/.test(token)) return token;
  throw new OpenFlamingoError(
    "usage",
    `${named ? "HF_TOKEN" : file} holds no token: it has characters that no token has`,
    { hint: "A token is one word that begins with hf_." },
  );
}
