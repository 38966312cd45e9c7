/** Bad inputs of every kind: each row says what is given, and what code, exit code and message come of it. */
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { golden, randomModelFolder } from "../goldens.js";
import { faultOf } from "../messages.js";
import { rejected } from "../reliability.js";
import { type PlainTensor, safetensors, tensorsOf } from "../tensors.js";
import { runInProcess } from "./inProcess.js";
import { run } from "./run.js";

const folder = mkdtempSync(join(tmpdir(), "bad-inputs-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const path = (name: string) => join(folder, name);
const file = (name: string, content: string | Uint8Array): string => {
  writeFileSync(path(name), content);
  return path(name);
};
const good = golden("photos/rocket.jpg");
const png = readFileSync(golden("photos/chelsea.png"));

/** A copy of the tiny model's folder, changed. */
let models = 0;
function model(change: (folder: string) => void): string {
  const copy = path(`model-${models++}`);
  cpSync(randomModelFolder, copy, { recursive: true });
  rmSync(join(copy, "golden"), { recursive: true, force: true });
  change(copy);
  return copy;
}
function described(change: (description: { flamingo: object }) => void): string {
  return model((copy) => {
    const name = join(copy, "openflamingo.json");
    const description = JSON.parse(readFileSync(name, "utf8"));
    change(description);
    writeFileSync(name, JSON.stringify(description));
  });
}

let trained: Map<string, PlainTensor>;
beforeAll(async () => {
  trained = await tensorsOf(join(randomModelFolder, "checkpoint.pt"));
});
/** The tiny model with a changed checkpoint. */
const retrained = (change: (tensors: Map<string, PlainTensor>) => void): string =>
  model((copy) => {
    const tensors = new Map(trained);
    change(tensors);
    writeFileSync(join(copy, "checkpoint.pt"), safetensors(tensors)); // distinguished by content
  });
const gate = "lang_encoder.transformer.blocks.3.gated_cross_attn_layer.attn_gate";

/** A torch archive's pickle that would run a command, as the legacy form of a file: it must not get that far. */
const evilPickle = Buffer.from("\x80\x02cos\nsystem\nU\x04trueq\x00\x85q\x01Rq\x02.", "latin1");

type Row = readonly [
  what: string,
  args: () => readonly string[],
  code: string,
  exit: number,
  message: RegExp,
];

const withModel = (make: () => string) => () => ["caption", good, "--model", make()];
const withImage = (make: () => string) => () => ["caption", make()];

const rows: readonly Row[] = [
  ["an image that is not there", withImage(() => path("none.jpg")), "image-missing", 3, /none\.jpg/],
  [
    "a folder without images",
    withImage(() => mkdtempSync(join(folder, "empty-"))),
    "image-missing",
    3,
    /no image files/,
  ],
  ["an empty image", withImage(() => file("empty.jpg", "")), "image-unreadable", 3, /empty\.jpg.*empty/],
  [
    "a truncated image",
    withImage(() => file("cut.png", png.subarray(0, 50_000))),
    "image-unreadable",
    3,
    /cut\.png/,
  ],
  ["text for an image", withImage(() => file("text.png", "hello there")), "image-unreadable", 3, /text\.png/],
  [
    "a format that is not read",
    withImage(() => file("a.pdf", "%PDF-1.7 and so on")),
    "image-unsupported",
    3,
    /PDF/,
  ],

  ["a model that is not there", withModel(() => path("none")), "model-missing", 4, /no such folder/],
  ["a file for a model", withModel(() => good), "model-missing", 4, /not a folder/],
  [
    "a folder without its description",
    withModel(() => model((copy) => rmSync(join(copy, "openflamingo.json")))),
    "model-invalid",
    4,
    /openflamingo\.json/,
  ],
  [
    "a model without its checkpoint",
    withModel(() => model((copy) => rmSync(join(copy, "checkpoint.pt")))),
    "model-invalid",
    4,
    /flamingo\.checkpoint "checkpoint\.pt"/,
  ],
  [
    "a model without one of its shards",
    withModel(() => model((copy) => rmSync(join(copy, "lang/pytorch_model-00002-of-00002.bin")))),
    "checkpoint-missing",
    4,
    /pytorch_model-00002-of-00002\.bin/,
  ],
  [
    "an unknown key",
    withModel(() => described((json) => Object.assign(json, { colour: "blue" }))),
    "model-invalid",
    4,
    /"colour" is no key/,
  ],
  [
    "a version to come",
    withModel(() => described((json) => Object.assign(json, { version: 2 }))),
    "model-unsupported",
    4,
    /version 2.*reads version 1/,
  ],
  [
    "a path that leaves the folder",
    withModel(() => described((json) => Object.assign(json.flamingo, { checkpoint: "../checkpoint.pt" }))),
    "model-invalid",
    4,
    /flamingo\.checkpoint "\.\.\/checkpoint\.pt"/,
  ],
  [
    "a link that leaves the folder",
    withModel(() =>
      model((copy) => {
        rmSync(join(copy, "checkpoint.pt"));
        symlinkSync(join(randomModelFolder, "checkpoint.pt"), join(copy, "checkpoint.pt"));
      }),
    ),
    "model-invalid",
    4,
    /flamingo\.checkpoint/,
  ],
  [
    "a language model of another kind",
    withModel(() =>
      model((copy) => {
        const config = join(copy, "lang/config.json");
        writeFileSync(config, readFileSync(config, "utf8").replace('"mpt"', '"llama"'));
      }),
    ),
    "model-unsupported",
    4,
    /model_type is "llama"/,
  ],
  [
    "a setting that is not built",
    withModel(() =>
      model((copy) => {
        const config = join(copy, "lang/config.json");
        writeFileSync(config, readFileSync(config, "utf8").replace('"qk_ln": false', '"qk_ln": true'));
      }),
    ),
    "model-unsupported",
    4,
    /attn_config\.qk_ln is true/,
  ],
  [
    "a configuration that is no JSON",
    withModel(() => model((copy) => writeFileSync(join(copy, "clip/open_clip_config.json"), "{"))),
    "model-invalid",
    4,
    /open_clip_config\.json: is not valid JSON/,
  ],
  [
    "a tokenizer that is none",
    withModel(() => model((copy) => writeFileSync(join(copy, "lang/tokenizer.json"), "{}"))),
    "tokenizer-invalid",
    4,
    /tokenizer/,
  ],
  [
    "a truncated checkpoint",
    withModel(() => model((copy) => truncateSync(join(copy, "checkpoint.pt"), 1_000_000))),
    "checkpoint-damaged",
    4,
    /checkpoint\.pt/,
  ],
  [
    "a checkpoint that lacks a tensor",
    withModel(() => retrained((tensors) => tensors.delete(gate))),
    "checkpoint-mismatch",
    4,
    /missing.*attn_gate/s,
  ],
  [
    "a checkpoint with a tensor too many",
    withModel(() => retrained((tensors) => tensors.set("perceiver.extra", tensors.get(gate)!))),
    "checkpoint-mismatch",
    4,
    /unexpected.*perceiver\.extra/is,
  ],
  [
    "a checkpoint with a wrong shape",
    withModel(() => retrained((tensors) => tensors.set(gate, { shape: [2], data: new Float32Array(2) }))),
    "checkpoint-mismatch",
    4,
    /attn_gate.*\[2\].*\[1\]/s,
  ],
  [
    "the checkpoint of another model",
    withModel(() => described((json) => Object.assign(json.flamingo, { crossAttentionEvery: 2 }))),
    "checkpoint-mismatch",
    4,
    /22 missing.*blocks\.1\.gated_cross_attn_layer/s,
  ],
  [
    "a weight that is not a number",
    withModel(() =>
      retrained((tensors) => tensors.set(gate, { shape: [1], data: Float32Array.of(Number.NaN) })),
    ),
    "weights-not-finite",
    4,
    /attn_gate holds NaN/,
  ],
  [
    "a pickle that tries to call something",
    withModel(() => model((copy) => writeFileSync(join(copy, "checkpoint.pt"), evilPickle))),
    "checkpoint-rejected",
    4,
    /checkpoint\.pt/,
  ],

  [
    "fewer images than <image>s",
    () => ["generate", "--prompt", "<image><image>a", "--image", good],
    "image-count",
    2,
    /2 <image>s and 1 image/,
  ],
  [
    "more images than <image>s",
    () => ["generate", "--prompt", "a", "--image", good],
    "image-count",
    2,
    /0 <image>s and 1 image/,
  ],
  [
    "a prompt longer than the model's positions",
    () => ["generate", "--model", randomModelFolder, "--prompt", "word ".repeat(200)],
    "prompt-too-long",
    2,
    /128 positions/,
  ],
  ["an unknown option", () => ["caption", good, "--colour", "blue"], "usage", 2, /--colour/],
  ["an unknown command", () => ["paint", good], "usage", 2, /paint/],
  ["no image", () => ["caption"], "usage", 2, /image/],
  ["a number that is none", () => ["caption", good, "--max-new-tokens", "many"], "usage", 2, /many/],
  [
    "an impossible setting",
    () => ["caption", good, "--min-new-tokens", "30"],
    "usage",
    2,
    /--min-new-tokens is 30/,
  ],
  ["a backend that there is not", () => ["caption", good, "--backend", "abacus"], "usage", 2, /abacus/],
  [
    "shots that are no JSON",
    () => ["caption", good, "--shots", file("bad.json", "[")],
    "shots-invalid",
    3,
    /bad\.json: is not valid JSON/,
  ],
  [
    "shots of the other kind",
    () => ["ask", good, "What?", "--shots", file("kind.json", '[{"image": "a.jpg", "text": "b"}]')],
    "shots-invalid",
    3,
    /\[0\]\.question is missing/,
  ],
];

describe("each bad input has its code, exit code and message", () => {
  test.each(rows)("%s", async (what, args, code, exit, message) => {
    const finished = await runInProcess([...args(), "--json", "--quiet"]);
    const shown = finished.stderr.trim().split("\n");
    expect(shown, finished.stderr).toHaveLength(1);
    const { error } = JSON.parse(shown[0]!);
    expect(error).toMatchObject({ code, message: expect.stringMatching(message) });
    expect(finished.code).toBe(exit);
    expect(finished.stdout).toBe("");
    expect(faultOf(error)).toBeUndefined();
    rejected("The command line", what, error.code);
  });
});

test.each([2, 3, 4])("a process ends with exit code %s, and the same error", async (exit) => {
  const [, args, code] = rows.find((row) => row[3] === exit)!;
  const given = [...args(), "--json", "--quiet"];
  const ofProcess = await run(given);
  expect(ofProcess).toEqual(await runInProcess(given));
  expect(JSON.parse(ofProcess.stderr).error.code).toBe(code);
});

test("with several images the good ones are answered, and the exit code is that of the bad one", async () => {
  const finished = await runInProcess([
    "caption",
    "--json",
    "--quiet",
    good,
    path("none.jpg"),
    golden("photos/chelsea.png"),
  ]);
  const answers = finished.stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  expect(answers.map(({ image }) => image)).toEqual([good, golden("photos/chelsea.png")]);
  expect(finished.code).toBe(3);
});

test("without --json an error is a line and what to do", async () => {
  const { stderr, code } = await runInProcess(["caption", "--quiet", path("none.jpg")]);
  expect(stderr).toMatch(/^openflamingo: .*none\.jpg.*\n {2}\S/);
  expect(code).toBe(3);
});
