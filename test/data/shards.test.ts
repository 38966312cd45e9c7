/** Two shards with awkward files in them, read as webdataset and the reference implementation read them. */
import { createReadStream } from "node:fs";
import { expect, test } from "vitest";
import { pythonRandom } from "../../src/base/pythonRandom.js";
import {
  type AssembledSample,
  type Assembler,
  assembleCaption,
  assembleDocument,
} from "../../src/data/assemble.js";
import { captionFiles } from "../../src/data/caption.js";
import { groupSamples, type RawSample } from "../../src/data/samples.js";
import { readTar } from "../../src/data/tar.node.js";
import { createTemplate } from "../../src/data/template.js";
import { compared } from "../parity.js";
import { dataFile, dataTokenizer, describeWithData, readData } from "./goldenData.js";
import { decode, listed } from "./pictures.js";
import { torchRand } from "./torchRandom.js";

interface Golden {
  readonly laion_samples: { key: string; fields: Record<string, number | string>; kept_by_filter: boolean }[];
  readonly laion_tuples: { picture: string; caption: string }[];
  readonly laion_batches: {
    batch_size: number;
    torch_seed_at_start: number;
    images: [string, string][];
    rows: { ids: number[] }[];
  }[];
  readonly mmc4_seeds: { python: number; torch: number };
  readonly mmc4_batches: {
    images: ([string, string] | null)[][];
    texts: { ids: number[]; length: number }[];
  }[];
}

async function samplesOf(file: string): Promise<RawSample[]> {
  const samples: RawSample[] = [];
  for await (const each of groupSamples(readTar(createReadStream(dataFile(file)), { name: file })))
    samples.push(each);
  return samples;
}

const assembler = (): Assembler => {
  const tokenizer = dataTokenizer();
  return {
    ...{ imagesInIndexOrder: true, flipWholeBatch: true, cutBeforeLastImage: true },
    ...{ tokenizer, decode, template: createTemplate(tokenizer, { specialTokensInText: true }) },
  };
};

const isSample = (made: AssembledSample | string): made is AssembledSample => typeof made !== "string";

describeWithData("webdataset.json", () => {
  const golden = () => readData<Golden>("webdataset.json");

  test("files are grouped to the same samples", async () => {
    const samples = await samplesOf("laion-example.tar");
    const { laion_samples: expected } = golden();
    expect(samples.map(({ key }) => key)).toEqual(expected.map(({ key }) => key));
    compared("training data/samples of a shard", { cases: samples.length, values: samples.length });
    for (const [i, { fields, kept_by_filter }] of expected.entries()) {
      const found = Object.fromEntries(
        [...samples[i]!.fields].map(([name, data]) => [
          name,
          typeof fields[name] === "string" ? new TextDecoder().decode(data) : data.length,
        ]),
      );
      expect(found).toEqual(fields);
      expect(captionFiles(samples[i]!.fields) !== undefined).toBe(kept_by_filter);
    }
  });

  test("captions and their images come as published, and faults are named", async () => {
    const found = await Promise.all(
      (await samplesOf("laion-example.tar")).map(({ fields }) =>
        assembleCaption(fields, assembler(), { flip: () => false }),
      ),
    );
    const pictures = await Promise.all(found.filter(isSample).map((each) => listed(each, 1)));
    expect(pictures.map(([each]) => each![0])).toEqual(golden().laion_tuples.map(({ picture }) => picture));
    const faults = found.filter((each) => !isSample(each));
    expect(faults.sort()).toEqual([
      "image-unreadable",
      ...new Array<string>(4).fill("incomplete"),
      "text-invalid",
    ]);
  });

  test("batches of captions are the published ones", async () => {
    const samples = await samplesOf("laion-example.tar");
    for (const size of [3, 4]) {
      const expected = golden().laion_batches.filter(({ batch_size }) => batch_size === size);
      const torch = torchRand(expected[0]!.torch_seed_at_start);
      const made: AssembledSample[] = [];
      let coin = false;
      for (const { fields } of samples) {
        // One coin for a batch, thrown at its first sample.
        const one = await assembleCaption(fields, assembler(), {
          flip: () => {
            if (made.length % size === 0) coin = torch() < 0.5;
            return coin;
          },
        });
        if (isSample(one)) made.push(one);
      }
      for (const [b, batch] of expected.entries()) {
        const own = made.slice(b * size, (b + 1) * size);
        expect(own.map(({ ids }) => Array.from(ids))).toEqual(batch.rows.map(({ ids }) => ids));
        expect((await Promise.all(own.map((each) => listed(each, 1)))).flat()).toEqual(batch.images);
      }
      expect(Math.floor(made.length / size)).toBe(expected.length);
    }
  });

  test("batches of documents are the published ones", async () => {
    const { mmc4_batches: expected, mmc4_seeds: seeds } = golden();
    const python = pythonRandom(seeds.python);
    const torch = torchRand(seeds.torch);
    const made: AssembledSample[] = [];
    const rejected: string[] = [];
    for (const { fields } of await samplesOf("mmc4-example.tar.gz")) {
      const coins = { flip: () => torch() < 0.5, drop: () => python.random() <= 0.5 };
      const one = await assembleDocument(fields, { ...assembler(), similarityThreshold: 0.24 }, coins);
      if (isSample(one)) made.push(one);
      else rejected.push(one);
    }
    expect(made.map(({ ids }) => Array.from(ids))).toEqual(
      expected.flatMap(({ texts }) => texts.map(({ ids }) => ids)),
    );
    expect(await Promise.all(made.map((each) => listed(each, 6)))).toEqual(
      expected.flatMap(({ images }) => images),
    );
    expect(rejected).toEqual(["no-images", "one-image", "document-invalid"]);
  });
});
