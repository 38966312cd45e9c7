/**
 * Options: habits of OpenFlamingo (Python) that are flaws, and that its released weights contain. The right thing is the
 * default; each can be switched on by itself, and all of them by `asPublished`.
 */
export const publishedOptions = {
  asPublished: {
    kind: "boolean",
    default: false,
    help: "training as the released models were trained: the options that follow are true unless they are given",
  },
  clipEveryMicroBatch: {
    kind: "boolean",
    default: false,
    published: true,
    help: "the gradients added up so far are clipped after every batch, so that earlier batches count less; otherwise once a step",
  },
  scheduleIgnoresAccumulation: {
    kind: "boolean",
    default: false,
    published: true,
    help: "the schedule's length is counted in batches, though it advances a step for `gradientAccumulationSteps` of them: `linear` and `cosine` do not reach their end",
  },
  mmc4ImagesInIndexOrder: {
    kind: "boolean",
    default: false,
    published: true,
    help: "the images of a document come in the order of their indices, whatever the order of the sentences that they belong to",
  },
  flipWholeBatch: {
    kind: "boolean",
    default: false,
    published: true,
    help: "one coin decides for all images of a batch, or of a document, whether they are turned; otherwise one an image",
  },
  mmc4CutBeforeLastImage: {
    kind: "boolean",
    default: false,
    published: true,
    help: "a marked text with too many images loses one more than it has to",
  },
  specialTokensInText: {
    kind: "boolean",
    default: false,
    published: true,
    help: "`<image>` and the like, written in a text, are special tokens; otherwise they are text",
  },
  divideByWholeAccumulation: {
    kind: "boolean",
    default: false,
    published: true,
    help: "an epoch's last step, where it has fewer batches than `gradientAccumulationSteps`, is divided by that number all the same",
  },
  dropNotFinite: {
    kind: "boolean",
    default: false,
    published: true,
    help: "where the loss of documents is not a number, what was accumulated is dropped and the run goes on; otherwise it stops",
  },
  zeroFirstLearningRate: {
    kind: "boolean",
    default: false,
    published: true,
    help: "warm-up begins with a step of learning rate 0; otherwise with 1/(`warmupSteps` + 1) of the learning rate",
  },
} as const;
