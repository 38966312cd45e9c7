/** Sizes and lengths of the recipe: the whole one, and a short one that goes through all stages in minutes. */

export interface RecipeSettings {
  /** A whole number from 0 to 2^53 − 1, which everything follows from. */
  readonly seed: number;
  /** Tokens of the tokenizer, with the three that a Flamingo adds. */
  readonly vocabulary: number;
  readonly language: LanguageSettings;
  readonly clip: ClipSettings;
  /** Images with one text, and documents, that are packed. */
  readonly shards: { readonly pairs: number; readonly documents: number };
  /** Blocks of the language model from one gated block to the next. */
  readonly crossAttentionEvery: number;
  readonly connectors: ConnectorSettings;
}

export interface ConnectorSettings {
  /** What they begin with. */
  readonly linear: LinearSettings;
  /** Each is a training that starts from the weights of the one before. */
  readonly cycles: readonly ConnectorCycle[];
  readonly learningRate: number;
  readonly checkpointSteps: number;
  /** Images that the map to the names' embeddings is found from, before the first cycle. */
  readonly mapImages: number;
}

export interface LinearSettings {
  readonly steps: number;
  /** Of a step, which learns from images with one text, or from documents. */
  readonly pairs: number;
  readonly documents: number;
  readonly learningRate: number;
  readonly evaluateEvery: number;
}

export interface ConnectorCycle {
  readonly steps: number;
  /** Of a step: images with one text, and documents. */
  readonly pairs: number;
  readonly documents: number;
}

export interface LanguageSettings {
  readonly layers: number;
  readonly hiddenSize: number;
  /** A power of two. */
  readonly heads: number;
  /** Tokens that it is made for; positions are slopes, so that longer texts are possible. */
  readonly contextLength: number;
  /** Rows of a step, and tokens of a row. */
  readonly rows: number;
  readonly rowLength: number;
  readonly steps: number;
  readonly learningRate: number;
  readonly evaluateEvery: number;
  readonly checkpointEvery: number;
}

export interface ClipSettings {
  /** Pixels a side. */
  readonly imageSize: number;
  readonly patchSize: number;
  readonly layers: number;
  readonly hiddenSize: number;
  readonly heads: number;
  /** Of the features that images and texts share. */
  readonly features: number;
  readonly textLayers: number;
  readonly textHiddenSize: number;
  /** Tokens of a text, the end among them. */
  readonly textLength: number;
  /** Images of a step. */
  readonly batch: number;
  /** Of an image's patches, in training; all when left out. */
  readonly keptPatches?: number;
  /** Each is a training of `steps` that starts from the weights of the one before. */
  readonly cycles: number;
  readonly steps: number;
  readonly learningRate: number;
  readonly evaluateEvery: number;
  readonly checkpointEvery: number;
}

export const wholeRecipe: RecipeSettings = {
  seed: 1,
  vocabulary: 2560,
  language: {
    ...{ layers: 4, hiddenSize: 192, heads: 8, contextLength: 1024 },
    ...{ rows: 8, rowLength: 512, steps: 4000, learningRate: 3e-3, evaluateEvery: 200, checkpointEvery: 50 },
  },
  clip: {
    ...{ imageSize: 64, patchSize: 8, layers: 6, hiddenSize: 128, heads: 4, features: 128 },
    ...{ textLayers: 2, textHiddenSize: 128, textLength: 24 },
    ...{ batch: 128, keptPatches: 32, cycles: 4, steps: 8000, learningRate: 2e-3 },
    ...{ evaluateEvery: 400, checkpointEvery: 100 },
  },
  shards: { pairs: 100_000, documents: 20_000 },
  crossAttentionEvery: 1,
  connectors: {
    linear: { steps: 6000, pairs: 128, documents: 24, learningRate: 3e-3, evaluateEvery: 200 },
    cycles: [{ steps: 1000, pairs: 48, documents: 4 }],
    ...{ learningRate: 5e-5, checkpointSteps: 100, mapImages: 6000 },
  },
};

export const shortRecipe: RecipeSettings = {
  seed: 1,
  vocabulary: 1024,
  language: {
    ...{ layers: 2, hiddenSize: 64, heads: 4, contextLength: 1024 },
    ...{ rows: 4, rowLength: 128, steps: 40, learningRate: 2e-3, evaluateEvery: 20, checkpointEvery: 10 },
  },
  clip: {
    ...{ imageSize: 64, patchSize: 8, layers: 2, hiddenSize: 64, heads: 2, features: 32 },
    ...{ textLayers: 1, textHiddenSize: 32, textLength: 24 },
    ...{ batch: 16, cycles: 2, steps: 20, learningRate: 1e-3, evaluateEvery: 20, checkpointEvery: 10 },
  },
  shards: { pairs: 300, documents: 60 },
  crossAttentionEvery: 1,
  connectors: {
    linear: { steps: 12, pairs: 8, documents: 2, learningRate: 1e-3, evaluateEvery: 6 },
    cycles: [
      { steps: 12, pairs: 6, documents: 1 },
      { steps: 12, pairs: 4, documents: 2 },
    ],
    ...{ learningRate: 1e-3, checkpointSteps: 4, mapImages: 100 },
  },
};
