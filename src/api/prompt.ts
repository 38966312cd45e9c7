/**
 * Prompts: images and texts in any order, as a user writes them, and the token ids that they become.
 *
 * The strings are fixed: contract, "The easy commands build these prompts". Reference: the prompts of
 * open_flamingo/open_flamingo/eval/eval_model.py.
 */
import { OpenFlamingoError } from "../base/errors.js";
import type { ImageSource } from "../images/index.js";
import { endOfChunkToken, type FlamingoTokenizer, imageToken } from "../text/flamingoTokens.js";

/** An image inside a prompt. */
export interface Image {
  readonly image: ImageSource;
}

/**
 * Marks an image in a prompt's list, where a plain text is a text.
 *
 * @param source a path, a `file:` URL, or the bytes of an image file
 * @example
 * await flamingo.generate([image("cats.jpg"), "An image of two cats.", image("query.jpg"), "An image of"]);
 */
export const image = (source: ImageSource): Image => ({ image: source });

/** Special tokens that we write; whatever a user wrote beside them is plain text. */
type Segment = string | { readonly special: "image" | "endOfChunk" };

/** A prompt whose strings are settled: what `captionPrompt` and its like make. */
export interface PreparedPrompt {
  /** A template has its special tokens in the text; segments have them apart. */
  readonly content: { readonly template: string } | { readonly segments: readonly Segment[] };
  readonly images: readonly ImageSource[];
}

/**
 * A list of images and texts; or a template text with `<image>`s, whose images come beside it; or what
 * `captionPrompt` and `askPrompt` make.
 */
export type PromptInput = string | readonly (Image | string)[] | PreparedPrompt;

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
export function captionPrompt(
  query: ImageSource,
  { shots = [], prompt = "Output:" }: { readonly shots?: readonly Shot[]; readonly prompt?: string } = {},
): PreparedPrompt {
  requireShots(shots, ["text"]);
  requireText("prompt", prompt);
  return {
    content: {
      segments: [
        ...shots.flatMap(({ text }) => [imageSegment, prompt + text, chunkEnd]),
        imageSegment,
        prompt,
      ],
    },
    images: [...shots.map((shot) => shot.image), query],
  };
}

/** `<image>Output:{label}<|endofchunk|>` a shot, then `<image>Output:`, after which labels are scored. */
export const classifyPrompt = (
  query: ImageSource,
  { shots = [], prompt }: { readonly shots?: readonly LabelShot[]; readonly prompt?: string } = {},
): PreparedPrompt => {
  requireShots(shots, ["label"]);
  return captionPrompt(query, {
    shots: shots.map(({ image, label }) => ({ image, text: label })),
    ...(prompt !== undefined && { prompt }),
  });
};

/** `<image>Question:{question} Short answer:{answer}<|endofchunk|>` a shot, then the same up to `Short answer:`. */
export function askPrompt(
  query: ImageSource,
  question: string,
  { shots = [] }: { readonly shots?: readonly QuestionShot[] } = {},
): PreparedPrompt {
  requireShots(shots, ["question", "answer"]);
  requireText("question", question);
  const asked = (text: string) => `Question:${text} Short answer:`;
  return {
    content: {
      segments: [
        ...shots.flatMap((shot) => [imageSegment, asked(shot.question) + shot.answer, chunkEnd]),
        imageSegment,
        asked(question),
      ],
    },
    images: [...shots.map((shot) => shot.image), query],
  };
}

/** `<image>{text}<|endofchunk|>` a shot, then the template as it is. */
export function templatePrompt(
  template: string,
  images: readonly ImageSource[],
  { shots = [] }: { readonly shots?: readonly Shot[] } = {},
): PreparedPrompt {
  requireShots(shots, ["text"]);
  const before = shots.map(({ text }) => `${imageToken}${text}${endOfChunkToken}`).join("");
  return {
    content: { template: before + template },
    images: [...shots.map((shot) => shot.image), ...images],
  };
}

/**
 * Each image stands for `<image>`; a text that is followed by an image ends with `<|endofchunk|>`, which is written
 * for it unless it is there; the last text is left open.
 */
function listPrompt(parts: readonly (Image | string)[]): PreparedPrompt {
  const wrong = parts.findIndex((part) => typeof part !== "string" && !(part && "image" in Object(part)));
  if (wrong >= 0) {
    throw new OpenFlamingoError("usage", `the prompt's part ${wrong} is neither a text nor an image(…)`, {
      hint: 'Mark images: image("photo.jpg"). A plain text is a text.',
    });
  }
  const template = parts.map((part, i) => {
    if (typeof part !== "string") return imageToken;
    const next = parts[i + 1];
    const ends = next === undefined || typeof next === "string" || part.endsWith(endOfChunkToken);
    return ends ? part : part + endOfChunkToken;
  });
  return {
    content: { template: template.join("") },
    images: parts.flatMap((part) => (typeof part === "string" ? [] : [part.image])),
  };
}

/**
 * Any form of prompt with its strings settled.
 *
 * @param images the images of a template
 * @throws OpenFlamingoError `usage` for what is no prompt
 */
export function prepare(prompt: PromptInput, images: readonly ImageSource[] | undefined): PreparedPrompt {
  if (images !== undefined && !Array.isArray(images)) throw noList("images", "images");
  if (typeof prompt === "string") return templatePrompt(prompt, images ?? []);
  if (typeof prompt !== "object" || prompt === null) {
    throw new OpenFlamingoError("usage", `the prompt is ${prompt === null ? "null" : `a ${typeof prompt}`}`, {
      hint: "Give a text with <image>s, or a list of image(…)s and texts.",
    });
  }
  if (images === undefined) return "content" in prompt ? prompt : listPrompt(prompt);
  throw new OpenFlamingoError("usage", "`images` belong to a prompt that is a text with <image>s", {
    hint: "In a list, write image(source) where the image stands.",
  });
}

/**
 * The token ids of a prompt.
 *
 * @throws OpenFlamingoError `image-count` when it has not one `<image>` for each image; `usage` when it is empty
 */
export function idsOf(tokenizer: FlamingoTokenizer, { content, images }: PreparedPrompt): readonly number[] {
  const { special } = tokenizer;
  // Of segments, each text between two special tokens is encoded as a whole, and a special token in it stays text.
  const ids =
    "template" in content
      ? tokenizer.encode(content.template)
      : content.segments.flatMap((segment) =>
          typeof segment === "string"
            ? tokenizer.encode(segment, { specialTokens: false })
            : [special[segment.special]],
        );
  const places = ids.filter((id) => id === special.image).length;
  if (places !== images.length) {
    const count = (n: number, word: string) => `${n} ${word}${n === 1 ? "" : "s"}`;
    throw new OpenFlamingoError(
      "image-count",
      `the prompt has ${count(places, "<image>")} and ${count(images.length, "image")}`,
      { hint: "Give one image for each <image>, in their order." },
    );
  }
  if (ids.length === 0) {
    throw new OpenFlamingoError("usage", "the prompt is empty", { hint: "Give it an image and some text." });
  }
  return ids;
}

/** What TypeScript promises, and a caller in JavaScript does not. @throws OpenFlamingoError `usage` */
function requireShots(shots: unknown, fields: readonly string[]): void {
  if (!Array.isArray(shots)) throw noList("shots", "examples");
  for (const [i, shot] of shots.entries()) {
    for (const field of fields) requireText(`shots[${i}].${field}`, Object(shot)[field]);
  }
}

function requireText(name: string, value: unknown): void {
  if (typeof value === "string") return;
  throw new OpenFlamingoError("usage", `${name} is ${value === undefined ? "missing" : "no text"}`, {
    hint: "Write it as a string.",
  });
}

const noList = (name: string, what: string) =>
  new OpenFlamingoError("usage", `${name} is no list of ${what}`, { hint: `Write ${name}: [ … ].` });
