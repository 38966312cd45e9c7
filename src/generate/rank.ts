/**
 * Ranking: how probable given answers are after a prompt.
 *
 * Reference: open_flamingo/eval/models/open_flamingo.py, `get_rank_classifications` with `use_cache=False`. There each
 * answer is read alone; here the prompt is read once, and so are tokens with which several answers begin.
 */
import { OpenFlamingoError } from "../base/errors.js";
import { boolean, listOf, optional, text } from "../base/fields.js";
import type { Prompt } from "../runner/encodedImages.js";
import type { ModelRunner } from "../runner/modelRunner.js";
import type { TreeNode } from "../runner/tokenTree.js";
import { logSumOfExponentials } from "./logits.js";

export interface RankOptions {
  /** The mean log-probability of an answer's tokens (true), or their sum (false). Default: true. */
  readonly normalize?: boolean | undefined;
  /** Stops the work; the promise is then rejected with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** More than twice the classes of the largest set of labels in use (ImageNet-21k's 21,841). */
const mostAnswers = 50_000;

/** What answers, or labels, may be as texts. */
export const answersReader = listOf(text, 1, mostAnswers);

/** What this setting may be, for those who read it. */
export const rankingReaders = { normalize: optional(boolean) };

/** @throws OpenFlamingoError `usage` for an answer without tokens, after which nothing could be said of it */
export function requireTokens(answers: readonly (readonly number[])[]): void {
  const empty = answers.findIndex((tokens) => tokens.length === 0);
  if (empty < 0) return;
  throw new OpenFlamingoError("usage", `answer ${empty + 1} of ${answers.length} has no tokens`, {
    hint: "An answer must have at least one token.",
  });
}

/** Tokens that are read at once: enough to fill the machine, few enough that each is not masked from most others. */
const chunkLength = 64;

/**
 * @param answers the tokens of each, at least one
 * @returns the mean or sum of the log-probabilities of each answer's tokens
 * @throws OpenFlamingoError `prompt-too-long`, `image-count`, `usage` for an empty prompt, `logits-not-finite`,
 *   `backend`; `signal.reason` when stopped
 */
export async function rank(
  runner: Pick<ModelRunner, "tokenTree">,
  prompt: Prompt,
  answers: readonly (readonly number[])[],
  { normalize = true, signal }: RankOptions = {},
): Promise<readonly number[]> {
  const longest = longestOf(answers);
  // A chunk is closed once it is full, so the last answer in it may reach beyond.
  const nodes = chunkLength - 1 + longest - 1;
  const sums = answers.map(() => 0);

  const tree = await runner.tokenTree(prompt, { nodes, depth: longest - 1 });
  try {
    const first = await tree.prefill({ signal });
    for (const { nodes, tokens } of chunksOf(answers)) {
      signal?.throwIfAborted();
      const logits = nodes.length > 0 ? await tree.add(nodes, { signal }) : [];
      tree.clear();
      const all = [first, ...logits]; // of node − 1 first
      const wholes = all.map(logSumOfExponentials);
      for (const { answer, after, token } of tokens) {
        sums[answer]! += all[after + 1]![token]! - wholes[after + 1]!;
      }
    }
  } finally {
    tree.close();
  }
  return normalize ? sums.map((sum, i) => sum / answers[i]!.length) : sums;
}

/** The most tokens that an answer has. Of very many answers: a call with each as an argument would be too much. */
export const longestOf = (answers: readonly (readonly number[])[]): number =>
  answers.reduce((most, { length }) => Math.max(most, length), 0);

/** Tokens that are read at once, and those whose probabilities are then known. */
interface Chunk {
  readonly nodes: TreeNode[];
  readonly tokens: { readonly answer: number; readonly after: number; readonly token: number }[];
}

/**
 * Answers that begin alike come together. What follows an answer's last token is not asked for: it is never read. One
 * chunk at a time, so that the memory does not grow with the number of answers.
 */
function* chunksOf(answers: readonly (readonly number[])[]): Generator<Chunk, void> {
  let chunk: Chunk = { nodes: [], tokens: [] };
  let known = new Map<string, number>(); // beginnings of answers that are nodes of the chunk
  for (const answer of sorted(answers)) {
    if (chunk.nodes.length >= chunkLength) {
      yield chunk;
      chunk = { nodes: [], tokens: [] };
      known = new Map();
    }
    const { nodes, tokens } = chunk;
    let parent = -1;
    for (const [i, token] of answers[answer]!.entries()) {
      tokens.push({ answer, after: parent, token });
      if (i + 1 === answers[answer]!.length) break;
      const beginning = `${parent} ${token}`;
      const node = known.get(beginning) ?? nodes.push({ parent, token }) - 1;
      known.set(beginning, node);
      parent = node;
    }
  }
  yield chunk;
}

/** The numbers of the answers in the order of their tokens. */
function sorted(answers: readonly (readonly number[])[]): readonly number[] {
  return [...answers.keys()].sort((a, b) => {
    const [one, other] = [answers[a]!, answers[b]!];
    const at = one.findIndex((token, i) => token !== other[i]);
    return at < 0 ? one.length - other.length : one[at]! - (other[at] ?? -1);
  });
}
