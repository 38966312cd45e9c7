/**
 * Prompts: images and texts in any order, as a user writes them, and the token ids that they become.
 *
 * The strings are fixed: contract, "The easy commands build these prompts". Reference: the prompts of
 * open_flamingo/open_flamingo/eval/eval_model.py.
 */
import { OpenFlamingoError } from "../base/errors.js";
import { quoted } from "../base/quoted.js";
import type { ImageSource } from "../images/index.js";
import { countImageTokens } from "../runner/imageIndex.js";
import { endOfChunkToken, type FlamingoTokenizer, imageToken } from "../text/flamingoTokens.js";

/** An image inside a prompt's list. */
export interface ImagePart {
  readonly image: ImageSource;
}

/**
 * Marks an image in a prompt's list, where a plain text is a text.
 *
 * @param source a path; a `file:`, `data:`, `http:` or `https:` URL object; or the bytes of an image file in any of the
 *   forms of `ImageSource`
 * @example
 * await flamingo.generate([image("cats.jpg"), "An image of two cats.", image("query.jpg"), "An image of"]);
 */
export const image = (source: ImageSource): ImagePart => ({ image: source });

declare const prepared: unique symbol;

/** A prompt whose strings are settled: what `captionPrompt` and `askPrompt` make, for `generate`, `stream` and `rank`. */
export interface PreparedPrompt {
  readonly [prepared]: true;
}

/** Special tokens that we write; whatever a user wrote beside them is plain text. */
type Segment = string | { readonly special: "image" | "endOfChunk" };

/** What a prompt comes to. */
export interface PromptContent extends PreparedPrompt {
  /** A template has its special tokens in the text; segments have them apart. */
  readonly content: { readonly template: string } | { readonly segments: readonly Segment[] };
  readonly images: readonly ImageSource[];
}

/** Only here is a prompt made: to others `PreparedPrompt` has no content. */
const promptOf = (content: PromptContent["content"], images: readonly ImageSource[]): PromptContent =>
  ({ content, images }) as PromptContent;

/**
 * A list of images and texts; or a template text with `<image>`s, whose images come beside it; or what `captionPrompt`
 * and `askPrompt` make.
 */
export type PromptInput = string | readonly (ImagePart | string)[] | PreparedPrompt;

/** An example in a prompt: an image with the text that is wanted for it. */
export interface Shot {
  readonly image: ImageSource;
  readonly text: string;
}

/** An example of a question about an image. */
export interface QuestionShot {
  readonly image: ImageSource;
  readonly question: string;
  readonly answer: string;
}

/** An example of an image with its label. */
export interface LabelShot {
  readonly image: ImageSource;
  readonly label: string;
}

const imageSegment: Segment = { special: "image" };
const chunkEnd: Segment = { special: "endOfChunk" };

/** `<image>Output:{text}<|endofchunk|>` a shot, then `<image>Output:`; `prompt` replaces `Output:`. */
export const captionPrompt = (
  query: ImageSource,
  { shots = [], prompt = "Output:" }: { readonly shots?: readonly Shot[]; readonly prompt?: string } = {},
): PromptContent =>
  promptOf(
    {
      segments: [
        ...shots.flatMap(({ text }) => [imageSegment, prompt + text, chunkEnd]),
        imageSegment,
        prompt,
      ],
    },
    [...shots.map((shot) => shot.image), query],
  );

/** `<image>Output:{label}<|endofchunk|>` a shot, then `<image>Output:`, after which labels are scored. */
export const classifyPrompt = (
  query: ImageSource,
  { shots = [], ...prompt }: { readonly shots?: readonly LabelShot[]; readonly prompt?: string } = {},
): PromptContent =>
  captionPrompt(query, { shots: shots.map(({ image, label }) => ({ image, text: label })), ...prompt });

/** `<image>Question:{question} Short answer:{answer}<|endofchunk|>` a shot, then the same up to `Short answer:`. */
export function askPrompt(
  query: ImageSource,
  question: string,
  { shots = [] }: { readonly shots?: readonly QuestionShot[] } = {},
): PromptContent {
  if (typeof question !== "string") throw unfit(`the question is ${quoted(question)}; it must be a string`);
  const asked = (text: string) => `Question:${text} Short answer:`;
  return promptOf(
    {
      segments: [
        ...shots.flatMap((shot) => [imageSegment, asked(shot.question) + shot.answer, chunkEnd]),
        imageSegment,
        asked(question),
      ],
    },
    [...shots.map((shot) => shot.image), query],
  );
}

/** `<image>{text}<|endofchunk|>` a shot, then the template as it is. */
export function templatePrompt(
  template: string,
  images: readonly ImageSource[],
  { shots = [] }: { readonly shots?: readonly Shot[] } = {},
): PromptContent {
  const before = shots.map(({ text }) => `${imageToken}${text}${endOfChunkToken}`).join("");
  return promptOf({ template: before + template }, [...shots.map((shot) => shot.image), ...images]);
}

/**
 * Each image stands for `<image>`; a text that is followed by an image ends with `<|endofchunk|>`, which is written
 * for it unless it is there; the last text is left open.
 */
function listPrompt(parts: readonly (ImagePart | string)[]): PromptContent {
  const wrong = parts.findIndex((part) => typeof part !== "string" && !(part && "image" in Object(part)));
  if (wrong >= 0) {
    throw unfit(
      `part ${wrong} of the prompt is ${quoted(parts[wrong])}; it must be a text or an image(…)`,
      'Mark images: image("photo.jpg"). A plain text is a text.',
    );
  }
  const template = parts.map((part, i) => {
    if (typeof part !== "string") return imageToken;
    const next = parts[i + 1];
    const ends = next === undefined || typeof next === "string" || part.endsWith(endOfChunkToken);
    return ends ? part : part + endOfChunkToken;
  });
  return promptOf(
    { template: template.join("") },
    parts.flatMap((part) => (typeof part === "string" ? [] : [part.image])),
  );
}

/**
 * Any form of prompt with its strings settled.
 *
 * @param images the images of a template
 * @throws OpenFlamingoError `usage` for what is no prompt
 */
export function contentOf(prompt: PromptInput, images: readonly ImageSource[] | undefined): PromptContent {
  if (typeof prompt === "string") return templatePrompt(prompt, images ?? []);
  if (typeof prompt !== "object" || prompt === null || !(Array.isArray(prompt) || "content" in prompt)) {
    throw unfit(
      `the prompt is ${quoted(prompt)}; it must be a text with <image>s, or a list of images and texts`,
    );
  }
  if (images !== undefined) {
    throw unfit(
      "images belong to a prompt that is a text with <image>s",
      "In a list, write image(source) where the image stands.",
    );
  }
  return "content" in prompt
    ? (prompt as PromptContent)
    : listPrompt(prompt as readonly (ImagePart | string)[]);
}

/**
 * The token ids of a prompt.
 *
 * @throws OpenFlamingoError `image-count` when it has not one `<image>` for each image; `usage` when it is empty
 */
export function idsOf(tokenizer: FlamingoTokenizer, { content, images }: PromptContent): readonly number[] {
  const { special } = tokenizer;
  // Of segments, each text between two special tokens is encoded as a whole, and a special token in it stays text.
  const ids =
    "template" in content
      ? tokenizer.encode(content.template)
      : [
          ...tokenizer.start,
          ...content.segments.flatMap((segment) =>
            typeof segment === "string"
              ? tokenizer.encode(segment, { specialTokens: false, startAndEnd: false })
              : [special[segment.special]],
          ),
          ...tokenizer.end,
        ];
  const imageTokens = countImageTokens(ids, special.image);
  if (imageTokens !== images.length) {
    const count = (n: number, word: string) => `${n} ${word}${n === 1 ? "" : "s"}`;
    throw new OpenFlamingoError(
      "image-count",
      `the prompt has ${count(imageTokens, "<image>")} and ${count(images.length, "image")}`,
      {
        hint: "Give one image for each <image>, in their order.",
        data: { imageTokens, images: images.length },
      },
    );
  }
  if (ids.length === 0) throw unfit("the prompt is empty", "Give it an image and some text.");
  return ids;
}

const unfit = (what: string, hint = "See the documentation of PromptInput.") =>
  new OpenFlamingoError("usage", what, { hint });
