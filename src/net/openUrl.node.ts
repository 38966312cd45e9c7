/**
 * Everything that is fetched by http and https. Addresses are untrusted, and so are servers: where
 * redirects lead, how much comes and how long it takes are checked, and no message shows credentials or content.
 */
import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import { unescape as percentDecoded } from "node:querystring";
import { OpenFlamingoError } from "../base/errors.js";
import { quoted } from "../base/quoted.js";
import { shownAddress } from "../base/webAddress.js";
import { type ByteRange, overLimit, readBody, sizeOf } from "./body.node.js";
import {
  addressesOf,
  type ConnectOptions,
  codeOf,
  connectionFailure,
  type Fail,
  type FetchFailure,
  request,
} from "./connect.node.js";
import { type Deadline, startDeadline } from "./deadline.js";
import { headersAfter, isRedirect, isWeb, maxRedirects, redirected } from "./redirects.js";

export interface OpenUrlOptions extends ConnectOptions {
  /** A longer body is an error: at once where the server says its size, otherwise when it has come so far. */
  readonly maxBytes: number;
  /** Everything together, from the host's name to the last byte. */
  readonly maxSeconds: number;
  /** The error for a body that is too long; `name` as in `Answer`, `size` undefined where the server did not say it. */
  readonly tooLarge?: ((name: string, size: number | undefined) => Error) | undefined;
  /** Sent to other origins only as far as they can hold no credentials: see `headersAfter`. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly range?: ByteRange | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface Answer {
  /** What errors call it: the address as it was asked for, and where it was redirected to. */
  readonly name: string;
  /** 206 only where a range was asked for; a server may answer that with 200 and the whole. */
  readonly status: 200 | 206;
  readonly headers: IncomingHttpHeaders;
  /** Bytes of the body, if the server says so. */
  readonly size: number | undefined;
  /**
   * The bytes, to be read once; reading to the end, breaking off and errors close the connection.
   *
   * @throws OpenFlamingoError `network`; the error of `tooLarge`; the signal's reason
   */
  readonly body: AsyncIterable<Uint8Array>;
  /** Closes the connection of an answer that is not read. */
  close(): void;
}

/**
 * Opens a URL with GET, following redirects. No cookies, no proxy, no compression, a connection of its own. A user
 * name and password in the URL are sent as basic authorization.
 *
 * @throws OpenFlamingoError `network` when there is no answer, no success, or an address is not allowed; the error of
 *   `tooLarge`; the signal's reason
 */
export async function openUrl(address: URL, options: OpenUrlOptions): Promise<Answer> {
  const { maxBytes, maxSeconds, signal } = options;
  const late = () => {
    const limit = `${maxSeconds.toLocaleString("en-US")} second${maxSeconds === 1 ? "" : "s"}`;
    return failure(
      shownAddress(address),
      `was not read within ${limit}`,
      { reason: "timeout" },
      "Raise maxSeconds, or try again later.",
    );
  };
  const deadline = startDeadline(maxSeconds, { signal, late });
  try {
    const { name, response } = await follow(new URL(address), options, deadline);
    const fail: Fail = (...found) => failure(name, ...found);
    const tooLarge = (size: number | undefined) =>
      options.tooLarge?.(name, size) ??
      fail(overLimit(size, maxBytes), { reason: "too-large" }, "Raise maxBytes for a server you trust.");
    const size = sizeOf(response, options.range, fail);
    if (size !== undefined && !(size <= maxBytes)) throw tooLarge(size);
    return {
      name,
      status: response.statusCode as 200 | 206,
      headers: response.headers,
      size,
      body: readBody(response, { size, maxBytes, tooLarge, deadline, fail }),
      close: deadline.end,
    };
  } catch (error) {
    deadline.end();
    throw error;
  }
}

const failure = (
  name: string,
  what: string,
  data: FetchFailure,
  hint = "Does the address work in a browser?",
) => new OpenFlamingoError("network", `${name}: ${what}`, { hint, data: { ...data } });

/** The first answer that is no redirect. */
async function follow(
  url: URL,
  { headers: given = {}, range, ...options }: OpenUrlOptions,
  deadline: Deadline,
): Promise<{ name: string; response: IncomingMessage }> {
  const first = shownAddress(url);
  if (!isWeb(url))
    throw failure(
      first,
      "only http: and https: are fetched",
      { reason: "address" },
      "Give an address of the web.",
    );
  const own = {
    "accept-encoding": "identity",
    ...(range && { range: `bytes=${range.first}-${range.last ?? ""}` }),
  };
  let headers: Readonly<Record<string, string>> = {
    "user-agent": "openflamingo",
    ...authorization(url),
    ...given,
  };
  url.username = url.password = ""; // or a relative redirect would inherit them
  let name = first;
  for (let count = 0; ; count++) {
    const fail: Fail = (...found) => failure(name, ...found);
    const addresses = await deadline.wait(addressesOf(url, options, fail));
    const { signal } = deadline;
    const sent = request(url, addresses, { ...options, headers: { ...headers, ...own }, signal });
    const response = await deadline.wait(sent).catch((cause: unknown) => {
      throw signal.aborted
        ? signal.reason
        : fail(`cannot be fetched${codeOf(cause)}`, connectionFailure(cause));
    });
    if (!isRedirect(response.statusCode)) return { name, response };
    response.destroy();
    if (count === maxRedirects)
      throw fail(`redirects again, after ${maxRedirects} redirects`, { reason: "redirect" });
    const next = redirected(url, response.headers.location, fail);
    headers = headersAfter(headers, { from: url, to: next });
    url = next;
    name = `${first}: redirected to ${quoted(shownAddress(url))}`;
  }
}

/** The header for the user name and password of a URL. */
function authorization({ username, password }: URL): { authorization?: string } {
  if (username === "" && password === "") return {};
  const both = `${percentDecoded(username)}:${percentDecoded(password)}`;
  return { authorization: `Basic ${Buffer.from(both).toString("base64")}` };
}
