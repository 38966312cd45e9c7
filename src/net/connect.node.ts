/**
 * One request to one address. A host's name is resolved once and what it gives is checked; the connection goes to just
 * these addresses. To check a name and then let the system resolve it again would reach whatever the second answer
 * says.
 */
import { lookup } from "node:dns/promises";
import http, { type IncomingMessage, type RequestOptions } from "node:http";
import https from "node:https";
import { isIP, type LookupFunction } from "node:net";
import { specialKind, specialNameKind } from "./addresses.node.js";

export interface ConnectOptions {
  /** Takes addresses that are not public too. */
  readonly allowPrivateAddresses?: boolean | undefined;
  /** The one origin whose addresses need not be public, such as a hub that the user named; redirects elsewhere do. */
  readonly privateOrigin?: string | undefined;
  /** All IP addresses of a name; the system's resolver unless given. */
  readonly resolve?: ((host: string) => Promise<readonly string[]>) | undefined;
  /** Connects in place of Node, for tests: `options.lookup` gives the checked addresses. */
  readonly connect?: RequestOptions["createConnection"];
}

/** Why nothing was fetched, for programs: errors of code `network` have it in their data, as `reason`. */
export type FetchReason =
  | "address" // not of the web, or malformed
  | "dns"
  | "private-address"
  | "connection" // with the system's code as `system`, where there is one
  | "timeout"
  | "redirect"
  | "status" // with the number as `status`
  | "content" // the answer is not the file as it is
  | "too-large";

export interface FetchFailure {
  readonly reason: FetchReason;
  readonly status?: number;
  readonly system?: string;
}

/** Makes the error from what is wrong; a hint in place of the usual one where there is one. */
export type Fail = (what: string, failure: FetchFailure, hint?: string) => Error;

const systemResolve = async (host: string) =>
  (await lookup(host, { all: true, verbatim: true })).map(({ address }) => address);

/**
 * The addresses of a URL's host, each of them checked.
 *
 * @throws the error of `fail` when there is none, or one of them is not public
 */
export async function addressesOf(
  { hostname, origin }: URL,
  { allowPrivateAddresses, privateOrigin, resolve = systemResolve }: ConnectOptions,
  fail: Fail,
): Promise<readonly string[]> {
  const host = bare(hostname);
  const requirePublic = (kind: string | undefined) => {
    if (kind === undefined || allowPrivateAddresses === true || origin === privateOrigin) return;
    throw fail(
      `the host's address is not public (${kind}), and only public ones are fetched`,
      { reason: "private-address" },
      "Pass allowPrivateAddresses: true if you trust every address that is fetched.",
    );
  };
  if (isIP(host)) {
    requirePublic(specialKind(host));
    return [host];
  }
  requirePublic(specialNameKind(host));
  const addresses = await resolve(host).catch((cause: unknown) => {
    throw fail(`the host's name cannot be resolved${codeOf(cause)}`, { reason: "dns" });
  });
  if (addresses.length === 0) throw fail("the host's name has no address", { reason: "dns" });
  for (const address of addresses) requirePublic(specialKind(address));
  return addresses;
}

/** @throws Node's error */
export function request(
  url: URL,
  addresses: readonly string[],
  {
    headers,
    signal,
    connect,
    method = "GET",
  }: Pick<ConnectOptions, "connect"> & {
    readonly method?: "GET" | "HEAD" | undefined;
    readonly headers: Readonly<Record<string, string>>;
    readonly signal: AbortSignal;
  },
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const { request } = url.protocol === "https:" ? https : http;
    request({
      method,
      protocol: url.protocol,
      hostname: bare(url.hostname),
      port: url.port,
      path: url.pathname + url.search,
      // The host as it was named: with it, TLS asks for the name's certificate.
      headers: { ...headers, host: url.host },
      lookup: pinned(addresses),
      signal,
      // A connection of its own: a shared one may have been made without the check, or go through a proxy.
      ...(connect ? { createConnection: connect } : { agent: false }),
    })
      .on("response", (response) => resolve(response.on("error", () => {}))) // the reader gets it
      .on("error", reject)
      // An answer with another protocol (101) ends without response or error.
      .on("close", () => reject(new Error("closed without an answer")))
      .end();
  });
}

/** Node's way to ask for addresses, answered with those that were checked, whatever the name. */
const pinned =
  (addresses: readonly string[]): LookupFunction =>
  (_, { all }, answer) => {
    const found = addresses.map((address) => ({ address, family: isIP(address) }));
    if (all) answer(null, found);
    else answer(null, found[0]!.address, found[0]!.family);
  };

/** A host without the brackets of IPv6. */
const bare = (hostname: string) => hostname.replace(/^\[|\]$/g, "");

/** An error's code for a message. The error itself may hold bytes of the server's answer, and is not kept. */
export function codeOf(error: unknown): string {
  const code = systemCode(error);
  return code === undefined ? "" : ` (${code})`;
}

/** A connection that did not come about, or broke. */
export function connectionFailure(error: unknown): FetchFailure {
  const system = systemCode(error);
  return { reason: "connection", ...(system !== undefined && { system }) };
}

function systemCode(error: unknown): string | undefined {
  const { code } = Object(error) as { code?: unknown };
  return typeof code === "string" && /^[A-Z][A-Z\d_]*$/.test(code) ? code : undefined;
}
