/** One check of the disk for all that a released model's first use writes: its downloads and its prepared folder. */
import { stat } from "node:fs/promises";
import { dirname } from "node:path";
import { shownSize } from "../base/bytes.js";
import { OpenFlamingoError } from "../base/errors.js";
import { clipBytesToFetch } from "../hub/clip.node.js";
import { freeOn } from "../hub/fetchBlob.node.js";
import { bytesToFetch, type HubOptions } from "../hub/hub.node.js";
import { languageBytesToFetch, withFirstLanguageModel } from "../hub/languageModel.node.js";
import type { HubModel } from "./releasedModels.node.js";

/** What is to be written. */
interface Part {
  readonly what: "to be fetched" | "to be prepared";
  readonly folder: string;
  readonly bytes: number;
}

/** A prepared folder that is yet to be written. */
export interface ToPrepare {
  readonly folder: string;
  /** Asked for only where something is to be fetched. */
  bytes(): Promise<number>;
}

/**
 * @param revision of the trained weights
 * @param prepared the folder that is made of it next, if one is
 * @returns bytes of what is large and to be fetched
 * @throws OpenFlamingoError `disk` with what is needed and what is free, before anything large is fetched; `network`
 *   where the hub does not say how large a file is
 */
export async function requireRoom(
  { name, languages, clip }: HubModel,
  options: HubOptions,
  { revision, prepared }: { readonly revision: string; readonly prepared?: ToPrepare | undefined },
): Promise<number> {
  const { settings, freeBytes = freeOn } = options;
  const quietly = { ...options, onNotice: undefined }; // fetching says it
  const [trained = 0, language, vision] = await Promise.all([
    bytesToFetch({ repository: name, revision, file: "checkpoint.pt" }, options),
    withFirstLanguageModel(languages, quietly, languageBytesToFetch),
    clipBytesToFetch(options, clip),
  ]);
  const toFetch = trained + language + vision;
  if (toFetch === 0) return 0; // what writes the prepared folder looks for its room
  const parts: readonly Part[] = [
    { what: "to be fetched", folder: settings.cache, bytes: trained + language },
    { what: "to be fetched", folder: settings.clipCache, bytes: vision },
    ...(prepared
      ? [{ what: "to be prepared" as const, folder: prepared.folder, bytes: await prepared.bytes() }]
      : []),
  ];
  const disks = new Map<number, [folder: string, parts: Part[]]>();
  for (const part of parts) {
    const [folder, disk] = await diskOf(part.folder);
    if (!disks.has(disk)) disks.set(disk, [folder, []]);
    disks.get(disk)![1].push(part);
  }
  for (const [folder, parts] of disks.values()) {
    const needed = parts.reduce((sum, { bytes }) => sum + bytes, 0);
    const free = await freeBytes(folder).catch(() => Number.POSITIVE_INFINITY); // not all disks say
    if (needed <= free) continue;
    const of = (what: Part["what"]) =>
      parts.reduce((sum, part) => (part.what === what ? sum + part.bytes : sum), 0);
    const all = (["to be fetched", "to be prepared"] as const).filter((what) => of(what) > 0);
    const shown = all.map((what) => `${shownSize(of(what))} are ${what}`).join(" and ");
    throw new OpenFlamingoError(
      "disk",
      `${name}: ${shown}, the disk of ${folder} has ${shownSize(free)} free`,
      {
        hint: "Make room, or set HF_HOME to a folder on another disk.",
        data: { needed, free },
      },
    );
  }
  return toFetch;
}

/** The nearest folder that is there, and the number of its disk. */
async function diskOf(folder: string): Promise<[folder: string, disk: number]> {
  const found = await stat(folder).catch(() => undefined);
  if (found) return [folder, found.dev];
  return dirname(folder) === folder ? [folder, -1] : diskOf(dirname(folder));
}
