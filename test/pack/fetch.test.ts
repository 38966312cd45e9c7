/** Fetching the images of a list from a server on this machine: outcomes, limits, and work that was stopped. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import type { RequestListener, ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { type FetchDataOptions, fetchData } from "../../src/api/fetchData.node.js";
import { packData } from "../../src/api/packData.node.js";
import type { OpenFlamingoError } from "../../src/base/errors.js";
import { causeOf } from "../../src/pack/fetchImage.node.js";
import { type LocalServer, serve, worldOf } from "../net/servers.js";
import { allSamples, imageFile, noisyImage, sameFolders, samplesOf, shardsIn, texts } from "./shards.js";

const folder = mkdtempSync(join(tmpdir(), "fetching-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let count = 0;
const next = (name: string) => join(folder, `${count++}-${name}`);

const files = new Map<string, Buffer>();
beforeAll(async () => {
  for (let i = 0; i < 30; i++) files.set(`/${i}.png`, await imageFile(i));
  files.set("/jpeg", await imageFile(1, { format: "jpeg" }));
  files.set("/webp", await imageFile(1, { format: "webp" }));
  files.set("/wide.png", await imageFile(2, { width: 400, height: 100 }));
  files.set("/cut.png", (await noisyImage(1)).subarray(0, 5000));
  files.set("/page.png", Buffer.from("<!doctype html><p>Not found"));
  files.set("/large", await noisyImage(2, 300));
});

/** Public names, which lead to the server; one that leads to this machine by its address. */
const names = {
  "images.example": [["93.184.216.34"]],
  "inside.example": [["10.0.0.8"]],
  "mixed.example": [["93.184.216.34", "127.0.0.1"]],
};

let server: LocalServer | undefined;
afterEach(() => server?.close());

/** How often each path was asked for. */
async function start(more: (path: string, response: ServerResponse) => boolean = () => false) {
  const asked = new Map<string, number>();
  const answer: RequestListener = (request, response) => {
    const path = request.url!;
    asked.set(path, (asked.get(path) ?? 0) + 1);
    if (more(path, response)) return;
    const file = files.get(path);
    const status = /^\/status\/(\d+)/.exec(path)?.[1];
    if (status) response.writeHead(Number(status)).end("no");
    else if (file) response.end(file);
    else if (path === "/slow") response.write("x");
    else if (path === "/broken")
      response.writeHead(200, { "content-length": 1000 }).write("x", () => response.destroy());
    else if (path === "/away") response.writeHead(302, { location: "http://inside.example/1.png" }).end();
    else if (path === "/round") response.writeHead(302, { location: "/round" }).end();
    else if (path === "/moved") response.writeHead(302, { location: "/1.png" }).end();
    else if (path === "/gzip") response.writeHead(200, { "content-encoding": "gzip" }).end("x");
    else response.writeHead(404).end();
  };
  server = await serve(answer);
  return { asked, world: worldOf(server.port, names) };
}

const at = (path: string) => `http://images.example${path}`;
function listOf(paths: readonly string[], name = "list.csv"): string {
  const file = next(name);
  const rows = paths.map((path, i) => `${path.startsWith("/") ? at(path) : path},caption ${i}`);
  writeFileSync(file, `url,caption\n${rows.join("\n")}\n`);
  return file;
}

const failureOf = (work: Promise<unknown>): Promise<OpenFlamingoError> =>
  work.then(
    (found) => {
      throw new Error(`no failure: ${JSON.stringify(found)}`);
    },
    (error: OpenFlamingoError) => error,
  );

const fetched = async (
  paths: readonly string[],
  world: Awaited<ReturnType<typeof start>>["world"],
  options: Partial<FetchDataOptions> = {},
) => {
  const output = next("shards");
  const summary = await fetchData({ lists: [listOf(paths)], output, retrySeconds: 0, ...options }, world);
  return { output, summary };
};

const thirty = Array.from({ length: 30 }, (_, i) => `/${i}.png`);

describe("into shards", () => {
  test("every image with its caption, in the order of the list", async () => {
    const { world, asked } = await start();
    const { output, summary } = await fetched(thirty, world, { rowsPerShard: 12 });
    expect(summary).toMatchObject({ format: "openflamingo-shards", rows: 30, samples: 30, skipped: {} });
    expect(summary.pattern).toBe("{00000..00002}.tar");
    const samples = await allSamples(output);
    expect(texts(samples)).toEqual(thirty.map((_, i) => `caption ${i}`));
    for (const [i, { files: own }] of samples.entries()) {
      expect(own.png!.equals(files.get(`/${i}.png`)!)).toBe(true);
      expect(JSON.parse(own.json!.toString())).toMatchObject({ url: at(`/${i}.png`), width: 24, height: 16 });
    }
    expect(readdirSync(output).sort()).toEqual(["00000.tar", "00001.tar", "00002.tar", "index.json"]);
    expect([...asked.values()].every((times) => times === 1)).toBe(true);
  });

  test("what is complete is not fetched again", async () => {
    const { world, asked } = await start();
    const options = { lists: [listOf(thirty)], output: next("complete") };
    const first = await fetchData(options, world);
    asked.clear();
    expect(await fetchData(options, world)).toEqual(first);
    expect(asked.size).toBe(0);
  });

  test("what cannot be fetched is counted by cause, with the first addresses", async () => {
    const { world, asked } = await start();
    const causes: Readonly<Record<string, readonly string[]>> = {
      "status-404": ["/none", "/status/404"],
      "status-503": ["/status/503"],
      dns: ["http://nowhere.example/1.png"],
      "private-address": [
        "http://inside.example/1.png",
        "http://mixed.example/1.png",
        "http://127.0.0.1/1.png",
        "http://[::1]/",
        "http://localhost/1.png",
        "/away",
      ],
      timeout: ["/slow"],
      connection: ["/broken"],
      redirect: ["/round"],
      content: ["/gzip"],
      "not-an-image": ["/page.png"],
      "image-unreadable": ["/cut.png"],
      "too-large": ["/large"],
      "bad-url": ["file:///etc/passwd", "ftp://images.example/1.png", "nothing"],
    };
    const { summary } = await fetched(["/moved", ...Object.values(causes).flat()], world, {
      maxSeconds: 0.4,
      maxBytes: 50_000,
      retries: 1,
    });
    const counts = Object.fromEntries(
      Object.entries(summary.skipped).map(([cause, { count }]) => [cause, count]),
    );
    expect(counts).toEqual(
      Object.fromEntries(Object.entries(causes).map(([cause, paths]) => [cause, paths.length])),
    );
    expect(summary).toMatchObject({ samples: 1, rows: 1 + Object.values(causes).flat().length });
    expect(summary.skipped["status-404"]!.first).toContainEqual(
      expect.stringMatching(/list\.csv:\d+ "http:\/\/images\.example\/none"$/),
    );
    // Tried again where it may help, and nowhere else.
    expect([
      asked.get("/status/503"),
      asked.get("/broken"),
      asked.get("/status/404"),
      asked.get("/page.png"),
    ]).toEqual([2, 2, 1, 1]);
    expect(world.reached.every((address) => address === "93.184.216.34")).toBe(true);
  });

  test("connections that are refused, and other codes of the system, have causes of their own", async () => {
    const { world, asked } = await start();
    server!.close();
    const error = await failureOf(fetched(["/1.png", "/2.png"], world, { retries: 0 }));
    expect([error.code, error.message]).toEqual([
      "network",
      expect.stringMatching(/^none of 2 images was fetched: connection-rejected 2 \(\d+-list\.csv:1 /),
    ]);
    expect(asked.size).toBe(0);
    const system = (code: string) => causeOf({ reason: "connection", system: code });
    expect(
      ["ECONNRESET", "EHOSTUNREACH", "ETIMEDOUT", "CERT_HAS_EXPIRED", "HPE_INVALID_CONSTANT", "EPROTO"].map(
        system,
      ),
    ).toEqual([...["reset", "unreachable", "timeout", "tls", "not-http", "connection"]]);
  });

  test("a shard has no sample of what was not fetched, and a group without any has no shard", async () => {
    const { world } = await start();
    const paths = ["/1.png", "/none", "/none2", "/none3", "/2.png", "/3.png"];
    const { output, summary } = await fetched(paths, world, { rowsPerShard: 2 });
    expect(shardsIn(output)).toEqual(["00000.tar", "00001.tar"]);
    expect(texts(await samplesOf(join(output, "00000.tar")))).toEqual(["caption 0"]);
    expect(texts(await samplesOf(join(output, "00001.tar")))).toEqual(["caption 4", "caption 5"]);
    expect(summary).toMatchObject({ samples: 3, skipped: { "status-404": { count: 3 } } });
  });

  test("images are scaled and written anew on request, other formats always", async () => {
    const { world } = await start();
    const paths = ["/wide.png", "/webp", "/jpeg"];
    const { output } = await fetched(paths, world, { maxSide: 100, encode: "jpeg", quality: 80 });
    const all = await allSamples(output);
    const sizes = await Promise.all(all.map(({ files: own }) => sharp(own.jpg).metadata()));
    expect(sizes.map(({ format, width, height }) => [format, width, height])).toEqual([
      ["jpeg", 100, 25],
      ["jpeg", 24, 16],
      ["jpeg", 24, 16],
    ]);
    const kept = await allSamples((await fetched(paths, world)).output);
    expect(kept.map(({ files: own }) => Object.keys(own)[0])).toEqual(["png", "jpg", "jpg"]);
    expect(kept[2]!.files.jpg!.equals(files.get("/jpeg")!)).toBe(true);
  });

  test("an address that is there twice is fetched once; the same with the same caption is a duplicate", async () => {
    const { world, asked } = await start();
    const list = next("list.jsonl");
    const rows = ["/1.png", "/1.png", "/none", "/none", "/1.png"].map((path, i) => ({
      url: at(path),
      text: `${i % 4}`,
    }));
    writeFileSync(list, rows.map((row) => JSON.stringify(row)).join("\n"));
    const { output, summary } = await fetched([], world, { lists: [list] });
    expect(texts(await allSamples(output))).toEqual(["0", "1"]);
    expect(summary.skipped).toMatchObject({ duplicate: { count: 1 }, "status-404": { count: 2 } });
    expect([asked.get("/1.png"), asked.get("/none")]).toEqual([1, 1]);
  });

  test("no more are fetched at a time than was said", async () => {
    let [now, most] = [0, 0];
    const { world } = await start((path, response) => {
      most = Math.max(most, ++now);
      setTimeout(() => {
        now--;
        response.end(files.get(path));
      }, 5);
      return true;
    });
    await fetched(thirty, world, { concurrency: 3 });
    expect(most).toBeLessThanOrEqual(3);
    expect(most).toBeGreaterThan(1);
  });
});

describe("into a folder", () => {
  test("images lie beside a list, which packing reads", async () => {
    const { world } = await start();
    const { output, summary } = await fetched(["/1.png", "/none", "/jpeg"], world, {
      as: "folder",
      rowsPerShard: 2,
    });
    expect(summary).toMatchObject({
      format: "openflamingo-images",
      pattern: "list.jsonl",
      samples: 2,
      shards: [],
    });
    const lines = readFileSync(join(output, "list.jsonl"), "utf8").trim().split("\n");
    expect(lines.map((line) => JSON.parse(line))).toEqual([
      { image: "images/00000/000000000.png", caption: "caption 0", url: at("/1.png"), width: 24, height: 16 },
      { image: "images/00001/000000002.jpg", caption: "caption 2", url: at("/jpeg"), width: 24, height: 16 },
    ]);
    expect(readdirSync(join(output, "images")).sort()).toEqual(["00000", "00001"]);
    const shards = next("shards");
    await packData({
      kind: "captions",
      lists: [join(output, "list.jsonl")],
      images: output,
      output: shards,
      shuffle: false,
    });
    expect(texts(await allSamples(shards))).toEqual(["caption 0", "caption 2"]);
  });
});

describe("work that was stopped", () => {
  test.each(["shards", "folder"] as const)(
    "at any place goes on, fetches nothing twice, and ends alike (%s)",
    async (as) => {
      const { world, asked } = await start();
      const options = {
        lists: [listOf([...thirty.slice(0, 20), "/none", ...thirty.slice(20)])],
        as,
        rowsPerShard: 7,
        concurrency: 4,
      };
      const whole = next("whole");
      const expected = await fetchData({ ...options, output: whole }, world);
      asked.clear();

      const output = next("stopped");
      let stops = 0;
      for (let after = 1; ; after += 3) {
        const stop = new AbortController();
        let done = 0;
        const before = new Map(asked);
        const kept = new Set(imagesIn(output));
        const onProgress = () => ++done === after && stop.abort(new Error("stopped"));
        const result = await fetchData({ ...options, output, signal: stop.signal, onProgress }, world).catch(
          (error: Error) => error,
        );
        // What was there is not asked for again.
        for (const image of kept) {
          const row = Number(image.slice(0, 9));
          const path = row < 20 ? `/${row}.png` : `/${row - 1}.png`;
          expect(asked.get(path)).toBe(before.get(path));
        }
        if (!(result instanceof Error)) {
          expect(result).toEqual(expected);
          break;
        }
        expect(result.message).toBe("stopped");
        expect(existsSync(join(output, "index.json"))).toBe(false);
        stops++;
      }
      expect(stops).toBeGreaterThan(2);
      if (as === "shards") expect(sameFolders(whole, output)).toBe(true);
      else
        expect(readFileSync(join(output, "list.jsonl"), "utf8")).toBe(
          readFileSync(join(whole, "list.jsonl"), "utf8"),
        );
    },
  );

  test("a file that was written and not noted is taken, and one that is damaged is fetched again", async () => {
    const { world, asked } = await start();
    const options = {
      lists: [listOf(thirty)],
      output: next("stopped"),
      as: "folder",
      concurrency: 1,
    } as const;
    const stop = new AbortController();
    let done = 0;
    const onProgress = () => ++done === 10 && stop.abort(new Error("stopped"));
    await failureOf(fetchData({ ...options, signal: stop.signal, onProgress }, world));
    const journal = join(options.output, "fetching.jsonl");
    const lines = readFileSync(journal, "utf8").trimEnd().split("\n");
    // The last two are not noted, one of them half; two files are not what was noted or written.
    writeFileSync(journal, `${lines.slice(0, -2).join("\n")}\n${lines.at(-2)!.slice(0, 9)}`);
    const image = (row: number) => join(options.output, `images/00000/00000000${row}.png`);
    writeFileSync(image(0), "");
    writeFileSync(image(9), readFileSync(image(9)).subarray(0, 40));
    asked.clear();
    await fetchData(options, world);
    const again = [0, 1, 7, 8, 9, 10].map((row) => asked.get(`/${row}.png`) ?? 0);
    expect(again).toEqual([1, 0, 0, 0, 1, 1]);
    for (const row of [0, 8, 9])
      expect(readFileSync(image(row)).equals(files.get(`/${row}.png`)!)).toBe(true);
  });

  test("a network that goes down stops the work, and what failed for it is tried again", async () => {
    let isDown = false;
    const { world, asked } = await start((path, response) => {
      if (path === "/7.png") isDown = true;
      if (isDown) response.destroy();
      return isDown;
    });
    const options = {
      lists: [listOf(thirty)],
      output: next("down"),
      concurrency: 1,
      retries: 0,
      maxUnreached: 5,
    };
    const error = await failureOf(fetchData(options, world));
    expect([error.code, error.message]).toEqual([
      "network",
      "5 images in a row could not be reached, the last one for reset: the network seems to be down",
    ]);
    expect(asked.size).toBe(12);
    server!.close();
    const { world: up, asked: later } = await start();
    expect(await fetchData(options, up)).toMatchObject({ samples: 30, skipped: {} });
    expect([...later.keys()]).toEqual(thirty.slice(7));
  });

  test("other lists or options are rejected, other limits are not", async () => {
    const { world } = await start();
    const options = { lists: [listOf(thirty)], output: next("stopped"), concurrency: 1 };
    const stop = new AbortController();
    let done = 0;
    const onProgress = () => ++done === 10 && stop.abort(new Error("stopped"));
    await failureOf(fetchData({ ...options, signal: stop.signal, onProgress }, world));
    const error = await failureOf(fetchData({ ...options, maxSide: 10 }, world));
    expect(error.message).toContain("fetching.jsonl: was begun from other lists, or with other options");
    expect(await fetchData({ ...options, concurrency: 8, maxSeconds: 9 }, world)).toMatchObject({
      samples: 30,
    });
  });
});

/** Names of the image files in a folder that is being fetched. */
function imagesIn(output: string): readonly string[] {
  if (!existsSync(join(output, "images"))) return [];
  return readdirSync(join(output, "images"), { recursive: true, encoding: "utf8" })
    .map((name) => name.split("/").at(-1)!)
    .filter((name) => /\.(png|jpg)$/.test(name));
}

test("options that cannot be are errors before any work", async () => {
  const error = await failureOf(fetchData({ lists: ["a"], output: "b", concurrency: 0, as: "tar" } as never));
  expect(error.code).toBe("usage");
  expect(error.message).toMatch(/as is "tar".*concurrency is 0/);
});
