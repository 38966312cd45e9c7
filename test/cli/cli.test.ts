/** The command line answers as the library does, and ends as the contract says. */
import { spawn } from "node:child_process";
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { aboutBundledModel } from "../../src/api/bundledModel.node.js";
import { type Flamingo, load } from "../../src/index.js";
import { golden, randomModelFolder } from "../goldens.js";
import { slowTest } from "../slow.js";
import { runInProcess } from "./inProcess.js";
import { run } from "./run.js";

const cat = golden("photos/chelsea.png");
const rocket = golden("photos/rocket.jpg");

/** Of random weights: each option changes what it says. */
const random = ["--model", randomModelFolder];

let flamingo: Flamingo;
beforeAll(async () => {
  flamingo = await load(randomModelFolder, { onNotice: () => {} });
});
afterAll(() => flamingo.close());

slowTest("caption, ask and generate give the library's answers, as text and as JSON", async () => {
  const caption = await flamingo.caption(cat, { logProbs: true });
  const asked = await flamingo.ask(rocket, "What is it?", { maxNewTokens: 5 });
  const generated = await flamingo.generate("<image>An image of", { images: [cat] });

  const text = await run(["caption", ...random, cat]);
  expect(text.stdout).toBe(`${caption.text}\n`);
  expect(text.stderr).toContain("untrained: its words mean nothing");
  expect(text.code).toBe(0);

  const json = await run(["caption", ...random, "--json", "--log-probs", "--quiet", cat]);
  expect(JSON.parse(json.stdout)).toEqual({ image: cat, sequence: 0, ...caption, trained: false });
  expect(json.stderr).toBe("");

  const ask = await run(["ask", ...random, rocket, "What is it?", "--max-new-tokens", "5", "--json"]);
  expect(JSON.parse(ask.stdout)).toEqual({ image: rocket, sequence: 0, ...asked, trained: false });

  const generate = await run([
    "generate",
    ...random,
    "--image",
    cat,
    "--prompt",
    "<image>An image of",
    "--json",
  ]);
  expect(JSON.parse(generate.stdout)).toEqual({ image: cat, sequence: 0, ...generated, trained: false });
});

test("without a model's name the one that comes with the package answers, and says what it is good for", async () => {
  const { stdout, stderr, code } = await runInProcess(["caption", cat]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: `note: ${aboutBundledModel}\n` });
  expect(stdout).toMatch(/^an? [a-z ]+\n$/);
});

test("beams, several sequences and classes come as lines of JSON", async () => {
  const beams = await runInProcess([
    "caption",
    ...random,
    "--json",
    "--quiet",
    "--beams",
    "3",
    "--return-sequences",
    "2",
    cat,
  ]);
  const lines = beams.stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
  expect(lines.map(({ sequence }) => sequence)).toEqual([0, 1]);
  expect(lines[0].score).toBeGreaterThan(lines[1].score);

  const classes = await runInProcess([
    "classify",
    ...random,
    "--json",
    "--quiet",
    "--labels",
    "10, a dog ,A woman, 2",
    "--label",
    " x, y",
    cat,
  ]);
  const found = JSON.parse(classes.stdout);
  expect(found).toMatchObject({ image: cat, label: "A woman", normalized: true, trained: false });
  // Spaces around --labels do not count, those of --label do; the best comes first, whatever a label looks like.
  expect(Object.keys(found.logProbs).sort()).toEqual([" x, y", "10", "2", "A woman", "a dog"]);
  expect(classes.stdout).toContain('"logProbs":{"A woman":');
});

test.each([
  [["--max-new-tokens", "3"], { maxNewTokens: 3 }],
  [["--min-new-tokens", "15"], { minNewTokens: 15 }],
  [["--stop", "bowl", "--stop", "never"], { stop: ["bowl", "never"] }],
  [["--min-new-tokens", "19", "--no-repeat-ngram-size", "1"], { minNewTokens: 19, noRepeatNgramSize: 1 }],
  [["--min-new-tokens", "19", "--repetition-penalty", "3"], { minNewTokens: 19, repetitionPenalty: 3 }],
  [["--temperature", "1.5", "--seed", "3"], { temperature: 1.5, seed: 3 }],
  [["--top-k", "5", "--seed", "3"], { topK: 5, seed: 3 }],
  [["--top-p", "0.9", "--seed", "3"], { topP: 0.9, seed: 3 }],
  [["--min-p", "0.01", "--seed", "3"], { minP: 0.01, seed: 3 }],
  [["--beams", "4", "--length-penalty", "-9"], { beams: 4, lengthPenalty: -9 }],
  [
    ["--beams", "2", "--beam-length", "generated", "--length-penalty", "2"],
    { beams: 2, beamLength: "generated", lengthPenalty: 2 },
  ],
] as const)("%j means the same as in the library", async (flags, options) => {
  const { ids } = await flamingo.caption(rocket, { ...options });
  const { minNewTokens, beams } = { minNewTokens: undefined, beams: undefined, ...options };
  const others = Object.keys(options).length > 1;
  const plain = await flamingo.caption(rocket, others ? { minNewTokens, beams } : {});
  const { stdout, code } = await runInProcess(["caption", ...random, "--json", "--quiet", rocket, ...flags]);
  expect(code).toBe(0);
  expect(JSON.parse(stdout).ids).toEqual(ids);
  expect(ids).not.toEqual(plain.ids); // an option without effect would show nothing
});

test("--early-stopping is a flag, or =never", async () => {
  const beams = ["caption", "--quiet", "--beams", "3"];
  for (const flag of ["--early-stopping", "--early-stopping=never"]) {
    const { stdout, code } = await runInProcess([...beams, flag, cat]);
    expect(stdout).not.toBe("\n");
    expect(code).toBe(0);
  }
  expect((await runInProcess([...beams, "--early-stopping=often", cat])).code).toBe(2);
});

test("several images are distinguished by their names", async () => {
  const { stdout } = await runInProcess(["caption", "--quiet", cat, rocket]);
  const lines = stdout.trimEnd().split("\n");
  expect(lines).toHaveLength(2);
  expect(lines[0]).toMatch(new RegExp(`^${cat}: .`));
  expect(lines[1]).toMatch(new RegExp(`^${rocket}: .`));
});

test("standard input is an image, and a folder is the images in it", async () => {
  const alone = await run(["caption", "--quiet", cat]);
  const piped = await run(["caption", "--quiet", "-"], undefined, readFileSync(cat));
  expect(piped.stdout).toBe(alone.stdout);
  const json = await run(["caption", "--quiet", "--json", "-"], undefined, readFileSync(cat));
  expect(JSON.parse(json.stdout).image).toBe("-");

  const folder = mkdtempSync(join(tmpdir(), "images-"));
  try {
    copyFileSync(rocket, join(folder, "b.jpg"));
    copyFileSync(cat, join(folder, "a.png"));
    writeFileSync(join(folder, "notes.txt"), "no image");
    const all = await runInProcess(["classify", "--quiet", "--labels", "x,y", folder]);
    expect(all.stdout.split("\n").map((line) => line.split(":")[0])).toEqual([
      join(folder, "a.png"),
      join(folder, "b.jpg"),
      "",
    ]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("standard input without an image is an error like any other", async () => {
  const empty = await run(["caption", "--quiet", "-"]);
  expect(empty.code).toBe(3);
  expect(empty.stderr).toContain("is empty");
});

test("messages speak of the options by their names on the command line", async () => {
  const several = await runInProcess(["caption", "--return-sequences", "2", cat]);
  expect(several.code).toBe(2);
  expect(several.stderr).toContain("--return-sequences is 2");
  const beams = await runInProcess(["caption", "--beams", "2", "--temperature", "1", cat]);
  expect(beams.stderr).toContain("--temperature is for sampling and --beams is 2");
  const long = await runInProcess(["caption", "--max-new-tokens", "3", "--min-new-tokens", "5", cat]);
  expect(long.stderr).toContain("Give a larger --max-new-tokens.");
});

test("--backend has --engine as an earlier name", async () => {
  const backend = await runInProcess(["caption", "--quiet", "--backend", "ort.binding", cat]);
  const engine = await runInProcess(["caption", "--quiet", "--engine", "ort.binding", cat]);
  expect(engine).toEqual(backend);
  expect(backend.code).toBe(0);
});

test("--cache takes the formats of caches", async () => {
  const [inFewBits, wrong] = await Promise.all([
    run(["caption", "--quiet", "--cache", "int8", "--max-new-tokens", "3", cat]),
    run(["caption", "--quiet", "--cache", "int4", cat]),
  ]);
  expect(inFewBits).toMatchObject({ code: 0, stderr: "" });
  expect(wrong.code).toBe(2);
  expect(wrong.stderr).toContain("Allowed choices are fp32, fp16, int8.");
});

test("SIGTERM ends as Ctrl-C does", async () => {
  let asked = false;
  const images = Array.from({ length: 200 }, () => cat);
  const { code, stderr } = await run(["caption", "--quiet", ...images], (_, kill) => {
    if (!asked) kill("SIGTERM");
    asked = true;
  });
  expect(code).toBe(130);
  expect(stderr).toBe("");
});

test("Ctrl-C stops the work with 130 and nothing is shown as an error", async () => {
  const images = Array.from({ length: 200 }, () => cat);
  let asked = false;
  const { code, stderr, stdout } = await run(["caption", "--quiet", ...images], (_, kill) => {
    if (!asked) kill("SIGINT");
    asked = true;
  });
  expect(code).toBe(130);
  expect(stderr).toBe("");
  expect(stdout.split("\n").length).toBeLessThan(200);
});

test("a reader that goes away ends the work with 0", async () => {
  const main = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));
  const images = Array.from({ length: 200 }, () => cat);
  const child = spawn(process.execPath, [main, "caption", "--quiet", ...images], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  child.stdout.once("data", () => child.stdout.destroy());
  let stderr = "";
  child.stderr.on("data", (data) => {
    stderr += data;
  });
  const code = await new Promise((resolve) => child.once("close", resolve));
  expect(stderr).toBe("");
  expect(code).toBe(0);
});

test.each([
  ["--help"],
  ["caption", "--help"],
  ["ask", "--help"],
  ["classify", "--help"],
  ["generate", "--help"],
])("help has examples: %s %s", async (...args) => {
  const { stdout, code } = await runInProcess(args);
  expect(stdout).toContain("Examples:");
  expect(code).toBe(0);
});

test("without a command, help is shown and the usage is wrong", async () => {
  const { stderr, code } = await runInProcess([]);
  expect(stderr).toContain("Usage: openflamingo");
  expect(code).toBe(2);
});

test("the version is the package's", async () => {
  expect((await run(["--version"])).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
});
