/** All kinds of input that are fuzzed; a new one stands here and nowhere else. */
import { configurationKind } from "./configuration.js";
import { imagesKind } from "./images.js";
import type { FuzzKind } from "./kind.js";
import { pickleKind } from "./pickle.js";
import { safetensorsKind } from "./safetensors.js";
import { shardIndexKind } from "./shardIndex.js";
import { tokenizerKind } from "./tokenizer.js";
import { trainingDocumentKind, trainingShardKind } from "./trainingData.js";
import { zipKind } from "./zip.js";

export const kinds: readonly FuzzKind[] = [
  pickleKind,
  zipKind,
  safetensorsKind,
  shardIndexKind,
  tokenizerKind,
  configurationKind,
  imagesKind,
  trainingShardKind,
  trainingDocumentKind,
];
