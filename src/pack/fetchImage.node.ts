/** Fetches one image of the web, checks it, and says why it could not be had, for counting. */
import { setTimeout as wait } from "node:timers/promises";
import { OpenFlamingoError } from "../base/errors.js";
import { formatOf } from "../images/formats.js";
import { readAll } from "../net/body.node.js";
import type { ConnectOptions, FetchFailure } from "../net/connect.node.js";
import { openUrl } from "../net/openUrl.node.js";
import { isWeb } from "../net/redirects.js";
import { type StoredImage, type StoreOptions, storeImage } from "./readImage.node.js";

export interface FetchImageOptions extends ConnectOptions {
  readonly store: StoreOptions;
  /** Of a file. */
  readonly maxBytes: number;
  /** For a file, from its host's name to its last byte. */
  readonly maxSeconds: number;
  /** How often a file is tried again, where that may help. */
  readonly retries: number;
  /** Seconds before the first new try; they double with each further one. */
  readonly retrySeconds: number;
}

/** Does decoding when there is room for it. */
export type Turn = <T>(work: () => Promise<T>) => Promise<T>;

/**
 * @param turn decoding takes memory and all of a core: fewer images at a time than are fetched
 * @returns the image, or the cause: `dns`, `connection-rejected`, `timeout`, `status-404`, `not-an-image`, …
 * @throws the signal's reason
 */
export async function fetchImage(
  address: string,
  options: FetchImageOptions,
  turn: Turn,
  signal: AbortSignal,
): Promise<StoredImage | string> {
  const url = URL.canParse(address) ? new URL(address) : undefined;
  if (!url || !isWeb(url)) return "bad-url";
  for (let tries = 0; ; tries++) {
    try {
      const file = await fetchFile(url, options, signal);
      if (formatOf(file) === undefined) return "not-an-image";
      return await turn(() => storeImage(file, options.store, signal));
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof OpenFlamingoError) || error.code !== "network") throw error;
      const failure = error.data as unknown as FetchFailure;
      if (tries >= options.retries || !mayPass(failure)) return causeOf(failure);
      await wait(1000 * options.retrySeconds * 2 ** tries, undefined, { signal }).catch(() => {});
      signal.throwIfAborted();
    }
  }
}

async function fetchFile(url: URL, options: FetchImageOptions, signal: AbortSignal): Promise<Uint8Array> {
  const { maxBytes, maxSeconds, allowPrivateAddresses, resolve, connect } = options;
  const headers = { accept: "image/*" };
  const answer = await openUrl(url, {
    ...{ maxBytes, maxSeconds, allowPrivateAddresses, resolve, connect, headers, signal },
  });
  return readAll(answer.body);
}

/** Whether another try may succeed. */
function mayPass({ reason, status = 0 }: FetchFailure): boolean {
  if (reason === "status") return status === 429 || status >= 500;
  return reason === "timeout" || reason === "connection";
}

/** Causes of the system's own codes for connections. */
const systemCauses: readonly (readonly [RegExp, string])[] = [
  [/^ECONNREFUSED$/, "connection-rejected"],
  [/^(ECONNRESET|EPIPE)$/, "reset"],
  [/^(ENETUNREACH|EHOSTUNREACH|ENETDOWN|EADDRNOTAVAIL)$/, "unreachable"],
  [/TIMEDOUT/, "timeout"],
  [/CERT|TLS|SSL|SELF_SIGNED|UNABLE_TO/, "tls"],
  [/^HPE_/, "not-http"],
];

/** Causes without an answer of any server: all of them together look like a network that is down. */
export const unreached: ReadonlySet<string> = new Set([
  ...["dns", "connection-rejected", "reset", "unreachable", "timeout", "connection"],
]);

/** The cause of a failure in a word. */
export function causeOf({ reason, status, system }: FetchFailure): string {
  if (reason === "status") return `status-${status}`;
  if (reason === "address") return "bad-url";
  if (reason !== "connection") return reason;
  return systemCauses.find(([code]) => code.test(system ?? ""))?.[1] ?? "connection";
}
