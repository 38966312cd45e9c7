/** The options of the training: read from programs and files, with every fault at once. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { allowedValues, flagOf, readerOf } from "../../../src/train/options/kinds.js";
import { changedOptions, readTrainingOptions } from "../../../src/train/options/readOptions.js";
import {
  parseSettings,
  readSettings,
  readSettingsFile,
} from "../../../src/train/options/settingsFile.node.js";
import { flagsWithoutOption, trainingOptions } from "../../../src/train/options/table.js";
import { expectError, temporaryFolder } from "../../checkpoints/fixtures.js";

/** The flags of open_flamingo/train/train.py. */
const flags =
  `--vision_encoder_path --vision_encoder_pretrained --lm_path --tokenizer_path --cross_attn_every_n_layers --run_name
  --resume_from_checkpoint --delete_previous_checkpoint --batch_size_mmc4 --batch_size_laion --gradient_accumulation_steps
  --seed --learning_rate --lr_scheduler --loss_multiplier_mmc4 --loss_multiplier_laion --warmup_steps --weight_decay
  --precision --gradient_checkpointing --num_epochs --offline --freeze_lm_embeddings --logging_steps --laion_shards
  --mmc4_shards --workers --train_num_samples_mmc4 --train_num_samples_laion --dataset_resampled
  --mmc4_textsim_threshold --mmc4_max_num_images --mmc4_min_num_images --dist-url --dist-backend --horovod
  --no-set-device-rank --fsdp --fsdp_use_orig_params --fsdp_sharding_strategy --report_to_wandb --wandb_project
  --wandb_entity --save_checkpoints_to_wandb`.split(/\s+/);

test("every flag of the reference implementation has an option, or the reason why not", () => {
  const known = [
    ...Object.values(trainingOptions).flatMap(({ reference }) => reference ?? []),
    ...Object.keys(flagsWithoutOption),
  ];
  expect(known.sort()).toEqual([...flags].sort());
});

test("every default is a value that may be given", () => {
  for (const [name, option] of Object.entries(trainingOptions)) {
    expect(allowedValues(option)).toBeTruthy();
    for (const value of [option.default, option.ownDefault]) {
      if (value === undefined) continue;
      readerOf(option)(value, name, ({ at, what }) => expect.unreachable(`${at} ${what}`));
    }
  }
  expect(readTrainingOptions({})).toMatchObject({
    learningRate: 1e-4,
    laionShards: [],
    run: undefined,
    resume: true,
  });
});

test("one's own images have defaults of their own, which a value that is given replaces", () => {
  const own = { images: "photos", captions: "captions.csv" };
  expect(readTrainingOptions(own)).toMatchObject({
    ...{ batchSizeLaion: 8, numEpochs: 10, warmupSteps: 10, lrScheduler: "cosine", flip: false },
    ...{ checkpointSteps: 100, learningRate: 1e-4 },
  });
  expect(readTrainingOptions({ ...own, warmupSteps: 5000, flip: true })).toMatchObject({
    ...{ warmupSteps: 5000, flip: true, numEpochs: 10 },
  });
  expect(readTrainingOptions({ laionShards: ["shards"] })).toMatchObject({
    ...{ batchSizeLaion: 128, numEpochs: 1, warmupSteps: 5000, lrScheduler: "constant", flip: true },
  });
});

test("names become flags", () => {
  expect(["seed", "learningRate", "adamBeta1", "trainNumSamplesMmc4"].map(flagOf)).toEqual([
    "--seed",
    "--learning-rate",
    "--adam-beta1",
    "--train-num-samples-mmc4",
  ]);
});

test("asPublished switches the flaws on, but for those that are given", () => {
  const flaws = [
    "clipEveryMicroBatch",
    "scheduleIgnoresAccumulation",
    "mmc4ImagesInIndexOrder",
    "flipWholeBatch",
  ];
  const all = [...flaws, "zeroFirstLearningRate"];
  const of = (given: object) => {
    const options = readTrainingOptions({ ...given }) as unknown as Record<string, unknown>;
    return all.filter((name) => options[name]);
  };
  expect(of({})).toEqual([]);
  expect(of({ asPublished: true })).toEqual(all);
  expect(of({ asPublished: true, flipWholeBatch: false })).toEqual(
    all.filter((name) => name !== "flipWholeBatch"),
  );
  expect(of({ flipWholeBatch: true })).toEqual(["flipWholeBatch"]);
});

test("all that is wrong is in one error, with its line, and what was meant", async () => {
  const text = [
    "# a comment",
    "learningRate: fast",
    "batch_size_laion: 8",
    "batchSizeMmc4: 0",
    "lr_scheduler: linear",
    "precision: fp16",
    "laionShards: [a.tar, 7]",
    "warmupSteps:",
    "resume: yes",
    "weightDecay: .nan",
    "frobnicate: {a: 1}",
    "__proto__: 1",
  ].join("\n");
  const { values, placeOf } = parseSettings(text, "/x/train.yaml");
  const error = await expectError(
    () => readTrainingOptions(values, placeOf),
    "usage",
    'line 2 of /x/train.yaml: learningRate is "fast"; it must be a number above 0, at most 10',
    'line 3 of /x/train.yaml: "batch_size_laion" is no option of the training: did you mean batchSizeLaion?',
    "line 4 of /x/train.yaml: batchSizeMmc4 is 0; it must be an integer from 1 to 65536",
    'line 5 of /x/train.yaml: "lr_scheduler" is no option of the training: did you mean lrScheduler?',
    'line 6 of /x/train.yaml: precision is "fp16"; it must be "fp32" or "amp_bf16"',
    "line 7 of /x/train.yaml: laionShards[1] is 7; it must be a string that is not empty",
    "line 8 of /x/train.yaml: warmupSteps is null",
    'line 9 of /x/train.yaml: resume is "yes"; it must be true or false',
    "line 10 of /x/train.yaml: weightDecay is NaN",
    'line 11 of /x/train.yaml: "frobnicate" is no option of the training;',
    'line 12 of /x/train.yaml: "__proto__" is no option',
  );
  expect(error.data.options).toContain("batchSizeMmc4");
});

test.each<readonly [string, object, string]>([
  ["images without captions", { images: "a" }, "images needs captions beside it"],
  ["captions without images", { captions: "a" }, "captions needs images beside it"],
  [
    "images beside shards",
    { images: "a", captions: "b", laionShards: ["c"] },
    "images is given beside shards",
  ],
  ["more images at least than at most", { mmc4MinNumImages: 7 }, "more than mmc4MaxNumImages, which is 6"],
  ["a rank beyond the processes", { rank: 2, worldSize: 2 }, "rank is 2; of 2 processes the last is 1"],
  ["an interval of blocks that is the model's", { crossAttnEveryNLayers: 2 }, "unless fromScratch is true"],
  ["captions of nothing", { captionSteps: 10 }, "captionSteps needs captionImages"],
  ["a validation of nothing", { validationSteps: 10 }, "validationSteps needs validationShards"],
  [
    "epochs of two lengths",
    { laionShards: ["a"], mmc4Shards: ["b"], batchSizeLaion: 64, batchSizeMmc4: 32 },
    "trainNumSamplesLaion with batchSizeLaion makes 156 batches an epoch, and trainNumSamplesMmc4 and batchSizeMmc4 312",
  ],
])("options that do not go together: %s", async (_, given, says) => {
  await expectError(() => readTrainingOptions({ ...given }), "usage", says);
});

test("many faults are counted", async () => {
  const given = Object.fromEntries(Array.from({ length: 60 }, (_, i) => [`nothing${i}`, 1]));
  await expectError(() => readTrainingOptions(given), "usage", '"nothing49"', "and 10 more");
});

test("JSON is read as well, with a byte order mark, and an empty file is no options", () => {
  expect(
    parseSettings('\ufeff{\n\t"seed": 3,\n\t"laionShards": ["http://x/{0..9}.tar"]\n}\n', "a.json").values,
  ).toEqual({
    seed: 3,
    laionShards: ["http://x/{0..9}.tar"],
  });
  expect(parseSettings("", "a.yaml").values).toEqual({});
  expect(parseSettings("# nothing\n", "a.yaml").values).toEqual({});
});

test("paths of a file are relative to its folder, names and addresses are none", async () => {
  const folder = temporaryFolder();
  const path = join(folder, "train.yaml");
  writeFileSync(
    path,
    "run: runs/a\nmodel: ../models/x\nlaionShards: ['shards/{00..99}.tar', /data/a.tar, 'https://x/a.tar', 's3://b/a.tar']\nmmc4Shards: m/{0..9}.tar\n",
  );
  const { values } = await readSettingsFile(path);
  expect(values).toEqual({
    run: join(folder, "runs/a"),
    model: join(folder, "../models/x"),
    laionShards: [join(folder, "shards/{00..99}.tar"), "/data/a.tar", "https://x/a.tar", "s3://b/a.tar"],
    mmc4Shards: join(folder, "m/{0..9}.tar"),
  });
  expect(readTrainingOptions({ mmc4Shards: values.mmc4Shards }).mmc4Shards).toEqual([values.mmc4Shards]);
  writeFileSync(path, "model: openflamingo/OpenFlamingo-3B-vitl-mpt1b\nseed: 1\nlearningRate: -1\n");
  expect(await readSettings(path, { learningRate: 0.5, seed: undefined })).toMatchObject({
    ...{ model: "openflamingo/OpenFlamingo-3B-vitl-mpt1b", learningRate: 0.5, seed: 1 },
  });
  await expectError(() => readSettings(path), "usage", `line 3 of ${path}: learningRate is -1`);
  // What was given otherwise has no line in the file.
  const error = await expectError(
    () => readSettings(path, { learningRate: 99 }),
    "usage",
    "learningRate is 99",
  );
  expect(error.message).not.toContain("line 3");
});

test.each<readonly [string, string, string]>([
  ["a list", "- a\n- b\n", "must be a map"],
  ["a text", "hello", "must be a map"],
  ["a name twice", "seed: 1\nseed: 2\n", "line 2: is not YAML that is read here: duplicate key"],
  ["two documents", "seed: 1\n---\nseed: 2\n", "multiple docs"],
  ["an alias", "seed: &a 1\nrank: *a\n", "line 2: aliases (*name) are not read"],
  [
    "a tag of its own",
    "seed: !!js/function 'x'\n",
    "line 1: is not YAML that is read here: tag resolve failed",
  ],
  ["wrong indentation", "seed: 1\n  rank: 2\n", "line 1: is not YAML that is read here"],
  ["an open list", "laionShards: [a, b\n", "is not YAML that is read here"],
  ["deep lists", `laionShards: ${"[".repeat(20)}${"]".repeat(20)}`, "nests more than 8 deep"],
  ["lists without end", `laionShards: ${"[".repeat(200_000)}`, "nests more than 8 deep"],
  ["items of items without end", `laionShards:\n  ${"- ".repeat(100_000)}a`, "nests more than 8 deep"],
  [
    "maps of maps",
    Array.from({ length: 500 }, (_, i) => `${" ".repeat(i)}a:\n`).join(""),
    "nests more than 8 deep",
  ],
])("a file that is none is rejected: %s", async (_, text, says) => {
  const error = await expectError(
    () => parseSettings(text, "train.yaml"),
    "usage",
    "settings file train.yaml",
    says,
  );
  expect(error.hint).toContain("training-options.md");
});

test("a file that cannot be read", async () => {
  const folder = temporaryFolder();
  await expectError(() => readSettingsFile(join(folder, "none.yaml")), "usage", "there is no such file");
  await expectError(() => readSettingsFile(folder), "usage", "not a file but a folder");
  writeFileSync(join(folder, "long.yaml"), `# ${"x".repeat(2 ** 20)}`);
  await expectError(() => readSettingsFile(join(folder, "long.yaml")), "usage", "at most 1048576 are read");
  writeFileSync(join(folder, "latin1.yaml"), Uint8Array.of(0x73, 0xe4));
  await expectError(() => readSettingsFile(join(folder, "latin1.yaml")), "usage", "is not UTF-8");
});

test("a resumed run says which options differ that may not", () => {
  const begun = readTrainingOptions({ learningRate: 1e-3, laionShards: ["a.tar"] });
  const saved = JSON.parse(JSON.stringify(begun)) as Record<string, unknown>;
  expect(changedOptions(saved, begun)).toEqual([]);
  const now = readTrainingOptions({
    laionShards: ["b.tar"],
    seed: 1,
    checkpointSteps: 5,
    learningRate: 1e-3,
    threads: 2,
  });
  expect(changedOptions(saved, now)).toEqual(["laionShards", "seed"]);
});
