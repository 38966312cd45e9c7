/** Servers on this machine alone, and a network that leads to them whatever the address is. */
import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import { type AddressInfo, connect, isIP } from "node:net";
import type { OpenFlamingoError } from "../../src/base/errors.js";
import { readAll } from "../../src/net/body.node.js";
import type { ConnectOptions } from "../../src/net/connect.node.js";
import { type OpenUrlOptions, openUrl } from "../../src/net/openUrl.node.js";

export interface LocalServer {
  readonly port: number;
  /** How many connections it has seen. */
  connections(): number;
  close(): void;
}

/** A server on 127.0.0.1. */
export async function serve(answer: RequestListener): Promise<LocalServer> {
  const server = createServer(answer).listen(0, "127.0.0.1");
  await once(server, "listening");
  let connections = 0;
  server.on("connection", () => connections++);
  return {
    port: (server.address() as AddressInfo).port,
    connections: () => connections,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}

export interface World extends ConnectOptions {
  readonly resolve: (host: string) => Promise<readonly string[]>;
  readonly connect: NonNullable<ConnectOptions["connect"]>;
  /** The names that were resolved, and the addresses to which connections were made, in their order. */
  readonly resolved: string[];
  readonly reached: string[];
}

/**
 * A network in which every address is the same server, spoken to without TLS for https too.
 *
 * @param names the addresses of each name, the last list for all later times; a name that is not there does not resolve
 */
export function worldOf(port: number, names: Readonly<Record<string, readonly string[][]>>): World {
  const resolved: string[] = [];
  const reached: string[] = [];
  return {
    resolved,
    reached,
    async resolve(host) {
      const times = resolved.filter((each) => each === host).length;
      resolved.push(host);
      const lists = names[host];
      if (!lists) throw Object.assign(new Error("secret of the resolver"), { code: "ENOTFOUND" });
      return lists[Math.min(times, lists.length - 1)]!;
    },
    connect(options) {
      const host = options.host!;
      if (isIP(host)) reached.push(host);
      else
        options.lookup!(host, { all: true }, (_, found) => {
          reached.push(...(found as { address: string }[]).map(({ address }) => address));
        });
      return connect(port, "127.0.0.1");
    },
  };
}

/** Limits that a test of something else does not meet. */
export const wide = { maxBytes: 2 ** 20, maxSeconds: 20 };

export async function textOf(url: string | URL, options: Partial<OpenUrlOptions> = {}): Promise<string> {
  const { body } = await openUrl(new URL(url), { ...wide, ...options });
  return new TextDecoder().decode(await readAll(body));
}

/** The error of a fetch that must fail; with all that could be printed of it in `all`. */
export async function failureOf(
  url: string | URL,
  options: Partial<OpenUrlOptions> = {},
): Promise<OpenFlamingoError & { all: string }> {
  const error = await textOf(url, options).then(
    (text) => {
      throw new Error(`${url} was fetched: ${text}`);
    },
    (error: OpenFlamingoError) => error,
  );
  const { message, hint, stack, cause } = error;
  return Object.assign(error, {
    all: [message, hint, stack, JSON.stringify(cause), String(cause)].join("\n"),
  });
}
