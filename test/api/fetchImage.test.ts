/** Images behind http, from a server on this machine. */

import { readFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { fetchImage } from "../../src/api/fetchImage.js";
import { load } from "../../src/index.js";
import { golden } from "../goldens.js";
import { rejected } from "../reliability.js";

const photo = readFileSync(golden("photos/rocket.jpg"));
let server: Server;
let address: string;
beforeAll(async () => {
  server = createServer((request, response) => {
    if (request.url === "/photo.jpg") response.end(photo);
    else if (request.url === "/endless") {
      const more = () => {
        while (response.write(new Uint8Array(2 ** 20)));
      };
      response.on("drain", more);
      more();
    } else if (request.url === "/cut") {
      response.writeHead(200, { "content-length": String(photo.length) });
      response.write(photo.subarray(0, 1000), () => response.destroy());
    } else if (request.url === "/silent") response.writeHead(200).flushHeaders();
    else response.writeHead(404).end();
  }).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

test("an image behind an address is captioned as from a file", async () => {
  await using flamingo = await load();
  expect(await flamingo.caption(new URL(`${address}/photo.jpg`))).toEqual(await flamingo.caption(photo));
});

test.each([
  ["an address that answers 404", () => `${address}/none`, "the server answers 404"],
  ["an address where nobody answers", () => "http://127.0.0.1:9/", "cannot be fetched"],
  ["an answer without end", () => `${address}/endless`, "is larger than 67108864 bytes"],
  ["an answer that breaks off", () => `${address}/cut`, "the answer broke off"],
])("%s is reported", async (what, url, message) => {
  await expect(fetchImage(new URL(url()))).rejects.toMatchObject({
    code: "network",
    message: `${url()}: ${message}`,
  });
  rejected("Images", what, "network");
});

test("a server that says nothing is left when the signal says so", async () => {
  const signal = AbortSignal.timeout(200);
  await expect(fetchImage(new URL(`${address}/silent`), { signal })).rejects.toMatchObject({
    name: "TimeoutError",
  });
});
