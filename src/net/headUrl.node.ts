/** What a server says of a file without sending it: a HEAD request. */
import type { IncomingHttpHeaders } from "node:http";
import { OpenFlamingoError } from "../base/errors.js";
import { quoted } from "../base/quoted.js";
import { shownAddress } from "../base/webAddress.js";
import {
  addressesOf,
  type ConnectOptions,
  codeOf,
  connectionFailure,
  type Fail,
  request,
} from "./connect.node.js";
import { startDeadline } from "./deadline.js";
import { isRedirect, isWeb, maxRedirects, redirected } from "./redirects.js";

export interface HeadOptions extends ConnectOptions {
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Whether a redirect says enough by its own headers: it is then the answer. */
  readonly isAnswer?: ((headers: IncomingHttpHeaders) => boolean) | undefined;
  /** Of all requests together. */
  readonly maxSeconds: number;
  readonly signal?: AbortSignal | undefined;
}

export interface HeadAnswer {
  /** What errors call it. */
  readonly name: string;
  /** Of any kind; a redirect to another origin is not followed. */
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** The address that gave this answer. */
  readonly url: URL;
}

/**
 * Redirects within the origin are followed, such as a renamed repository's. One that leads elsewhere is the answer: the
 * origin's own headers say what the file is.
 *
 * @throws OpenFlamingoError `network` when there is no answer, or an address is not allowed; the signal's reason
 */
export async function headUrl(address: URL, options: HeadOptions): Promise<HeadAnswer> {
  const first = shownAddress(address);
  const hint = "Does the address work in a browser?";
  let name = first;
  const fail: Fail = (what, data, advice = hint) =>
    new OpenFlamingoError("network", `${name}: ${what}`, { hint: advice, data: { ...data } });
  if (!isWeb(address))
    throw fail("only http: and https: are fetched", { reason: "address" }, "Give an address of the web.");
  const late = () =>
    fail(`no answer within ${options.maxSeconds} seconds`, { reason: "timeout" }, "Try again later.");
  const deadline = startDeadline(options.maxSeconds, { signal: options.signal, late });
  const { signal } = deadline;
  const headers = { "user-agent": "openflamingo", "accept-encoding": "identity", ...options.headers };
  try {
    let url = address;
    for (let count = 0; ; count++) {
      const addresses = await deadline.wait(addressesOf(url, options, fail));
      const sent = request(url, addresses, { connect: options.connect, method: "HEAD", headers, signal });
      const response = await deadline.wait(sent).catch((cause: unknown) => {
        throw signal.aborted
          ? signal.reason
          : fail(`cannot be fetched${codeOf(cause)}`, connectionFailure(cause));
      });
      response.destroy();
      const status = response.statusCode ?? 0;
      const answer = { name, status, headers: response.headers, url };
      if (!isRedirect(status) || options.isAnswer?.(response.headers)) return answer;
      const next = redirected(url, response.headers.location, fail);
      if (next.origin !== url.origin) return answer;
      if (count === maxRedirects)
        throw fail(`redirects again, after ${maxRedirects} redirects`, { reason: "redirect" });
      url = next;
      name = `${first}: redirected to ${quoted(shownAddress(url))}`;
    }
  } finally {
    deadline.end();
  }
}
