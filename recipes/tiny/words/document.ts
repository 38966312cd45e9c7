/** What a document is: a list of chunks, each an image, or words in its place, with text. */
import type { Thing } from "../world/scene.js";
import type { Facts } from "./facts.js";
import type { Split } from "./nonsense.js";

/** What a chunk is about: an image of a scene or of a thing, or nothing but words. */
export type Shown<S> =
  | { readonly kind: "scene"; readonly scene: S }
  | { readonly kind: "thing"; readonly thing: Thing }
  | { readonly kind: "words" };

/** An image, or the words in its place, and the text after it, which ends in `<|endofchunk|>`. */
export interface Chunk<S> {
  readonly shown: Shown<S>;
  /** What stands in the place of the image where there is none. "": the text stands alone. */
  readonly words: string;
  /** What is given when the chunk is a query: "Output:". */
  readonly prompt: string;
  readonly answer: string;
}

/** How names are given: what is shown in demonstrations, and what in the queries at the end. */
export const bindingKinds = ["text-text", "image-query", "text-query", "image-image", "mixed"] as const;
export type BindingKind = (typeof bindingKinds)[number];

export const documentKinds = [
  "caption", // one scene in the plain style
  "styles", // several scenes in one style
  "questions", // one scene or several, a question for each
  ...bindingKinds,
] as const;
export type DocumentKind = (typeof documentKinds)[number];

/** A document; `S` is a scene, or undefined where images are never drawn. */
export interface Document<S> {
  readonly kind: DocumentKind;
  /** Not empty. */
  readonly chunks: readonly Chunk<S>[];
  /** The possible answers of the last chunk, of bindings. */
  readonly choices?: readonly string[];
}

export interface DocumentOptions<S> {
  readonly kind: DocumentKind;
  /** All things. Training says the named ones alone, and tests of images alone take those never named. */
  readonly things: readonly Thing[];
  /** A whole number from 0 to 2^53 − 1. */
  readonly seed: number;
  /** A whole number from 0. */
  readonly index: number;
  /** Scene 0, 1, 2, … of the split; a document takes up to 32 from 32 · `index` on. */
  readonly sceneAt: (index: number) => { readonly scene: S; readonly facts: Facts };
  /** Default: "train". */
  readonly split?: Split | undefined;
  /** Chunks before the last. Default: drawn by kind, fewer than `mostChunks`. */
  readonly shots?: number | undefined;
  /** The most chunks when `shots` is drawn, at least 5. Default: `mostChunks`. */
  readonly mostChunks?: number | undefined;
  /** Bindings: how many things have names, at least 2. Default: drawn, 2 to 4. */
  readonly ways?: number | undefined;
  /** Bindings: how many chunks at the end are queries. Default: 1 in tests, drawn in training. */
  readonly queries?: number | undefined;
  /** Bindings: whether the name follows directly, or "Output:a". Default: drawn, directly three times of four. */
  readonly form?: "direct" | "caption" | undefined;
}

/** More than a document has. */
export const scenesPerDocument = 32;

/** Of a document for the connectors: each may be an image, which costs more than all of its text. */
export const mostChunks = 12;
