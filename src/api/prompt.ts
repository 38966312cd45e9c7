/**
 * Prompts: pictures and texts in any order, as a user writes them, and the token ids that they become.
 *
 * The strings are fixed: contract, "The easy commands build these prompts". Original: the prompts of
 * open_flamingo/open_flamingo/eval/eval_model.py.
 */
import { OpenFlamingoError } from "../base/errors.js";
import type { PictureSource } from "../images/index.js";
import { endOfChunkToken, type FlamingoTokenizer, imageToken } from "../text/flamingoTokens.js";

/** A picture inside a prompt. */
export interface Picture {
  readonly picture: PictureSource;
}

/**
 * Marks a picture in a prompt's list, where a plain text is a text.
 *
 * @param source a path, a `file:` URL, or the bytes of a picture file
 * @example
 * await flamingo.generate([image("cats.jpg"), "An image of two cats.", image("query.jpg"), "An image of"]);
 */
export const image = (source: PictureSource): Picture => ({ picture: source });

/** Special tokens that we write; whatever a user wrote beside them is plain text. */
type Segment = string | { readonly special: "image" | "endOfChunk" };

/** A prompt whose strings are settled: what `captionPrompt` and its like make. */
export interface PreparedPrompt {
  /** A template has its special tokens in the text; segments have them apart. */
  readonly content: { readonly template: string } | { readonly segments: readonly Segment[] };
  readonly pictures: readonly PictureSource[];
}

/**
 * A list of pictures and texts; or a template text with `<image>`s, whose pictures come beside it; or what
 * `captionPrompt` and `askPrompt` make.
 */
export type PromptInput = string | readonly (Picture | string)[] | PreparedPrompt;

/** An example in a prompt: a picture with the text that is wanted for it. */
export interface Shot {
  readonly image: PictureSource;
  readonly text: string;
}

/** An example of a question about a picture. */
export interface QuestionShot {
  readonly image: PictureSource;
  readonly question: string;
  readonly answer: string;
}

/** An example of a picture with its label. */
export interface LabelShot {
  readonly image: PictureSource;
  readonly label: string;
}

const picture: Segment = { special: "image" };
const chunkEnd: Segment = { special: "endOfChunk" };

/** `<image>Output:{text}<|endofchunk|>` a shot, then `<image>Output:`; `prompt` replaces `Output:`. */
export function captionPrompt(
  query: PictureSource,
  { shots = [], prompt = "Output:" }: { readonly shots?: readonly Shot[]; readonly prompt?: string } = {},
): PreparedPrompt {
  requireShots(shots, ["text"]);
  requireText("prompt", prompt);
  return {
    content: {
      segments: [...shots.flatMap(({ text }) => [picture, prompt + text, chunkEnd]), picture, prompt],
    },
    pictures: [...shots.map((shot) => shot.image), query],
  };
}

/** `<image>Output:{label}<|endofchunk|>` a shot, then `<image>Output:`, after which labels are scored. */
export const classifyPrompt = (
  query: PictureSource,
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
  query: PictureSource,
  question: string,
  { shots = [] }: { readonly shots?: readonly QuestionShot[] } = {},
): PreparedPrompt {
  requireShots(shots, ["question", "answer"]);
  requireText("question", question);
  const asked = (text: string) => `Question:${text} Short answer:`;
  return {
    content: {
      segments: [
        ...shots.flatMap((shot) => [picture, asked(shot.question) + shot.answer, chunkEnd]),
        picture,
        asked(question),
      ],
    },
    pictures: [...shots.map((shot) => shot.image), query],
  };
}

/** `<image>{text}<|endofchunk|>` a shot, then the template as it is. */
export function templatePrompt(
  template: string,
  pictures: readonly PictureSource[],
  { shots = [] }: { readonly shots?: readonly Shot[] } = {},
): PreparedPrompt {
  requireShots(shots, ["text"]);
  const before = shots.map(({ text }) => `${imageToken}${text}${endOfChunkToken}`).join("");
  return {
    content: { template: before + template },
    pictures: [...shots.map((shot) => shot.image), ...pictures],
  };
}

/**
 * Each picture stands for `<image>`; a text that is followed by a picture ends with `<|endofchunk|>`, which is written
 * for it unless it is there; the last text is left open.
 */
function listPrompt(parts: readonly (Picture | string)[]): PreparedPrompt {
  const wrong = parts.findIndex((part) => typeof part !== "string" && !(part && "picture" in Object(part)));
  if (wrong >= 0) {
    throw new OpenFlamingoError("usage", `the prompt's part ${wrong} is neither a text nor an image(…)`, {
      hint: 'Mark pictures: image("photo.jpg"). A plain text is a text.',
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
    pictures: parts.flatMap((part) => (typeof part === "string" ? [] : [part.picture])),
  };
}

/**
 * Any form of prompt with its strings settled.
 *
 * @param images the pictures of a template
 * @throws OpenFlamingoError `usage` for what is no prompt
 */
export function prepare(prompt: PromptInput, images: readonly PictureSource[] | undefined): PreparedPrompt {
  if (images !== undefined && !Array.isArray(images)) throw noList("images", "pictures");
  if (typeof prompt === "string") return templatePrompt(prompt, images ?? []);
  if (typeof prompt !== "object" || prompt === null) {
    throw new OpenFlamingoError("usage", `the prompt is ${prompt === null ? "null" : `a ${typeof prompt}`}`, {
      hint: "Give a text with <image>s, or a list of image(…)s and texts.",
    });
  }
  if (images === undefined) return "content" in prompt ? prompt : listPrompt(prompt);
  throw new OpenFlamingoError("usage", "`images` belong to a prompt that is a text with <image>s", {
    hint: "In a list, write image(source) where the picture stands.",
  });
}

/**
 * The token ids of a prompt.
 *
 * @throws OpenFlamingoError `picture-count` when it has not one `<image>` for each picture; `usage` when it is empty
 */
export function idsOf(
  tokenizer: FlamingoTokenizer,
  { content, pictures }: PreparedPrompt,
): readonly number[] {
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
  if (places !== pictures.length) {
    const count = (n: number, word: string) => `${n} ${word}${n === 1 ? "" : "s"}`;
    throw new OpenFlamingoError(
      "picture-count",
      `the prompt has ${count(places, "<image>")} and ${count(pictures.length, "picture")}`,
      { hint: "Give one picture for each <image>, in their order." },
    );
  }
  if (ids.length === 0) {
    throw new OpenFlamingoError("usage", "the prompt is empty", { hint: "Give it a picture and some text." });
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
