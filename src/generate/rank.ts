/**
 * Ranking: how probable given answers are after a prompt.
 *
 * Reference: open_flamingo/eval/models/open_flamingo.py, `get_rank_classifications` with `use_cache=False`. There each
 * answer is read alone; here the prompt is read once, and so are tokens with which several answers begin.
 */
import { OpenFlamingoError } from "../base/errors.js";
import type { Prompt } from "../runner/encodedImages.js";
import type { ModelRunner } from "../runner/modelRunner.js";
import type { TreeNode } from "../runner/tokenTree.js";
import { logSumOfExponentials } from "./logits.js";

export interface RankOptions {
  /** Whether to give the mean over an answer's tokens (true, when left out) or their sum. */
  readonly normalize?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Tokens that are read at once: enough to fill the machine, few enough that each is not masked from most others. */
const chunkLength = 64;

/**
 * @param answers the tokens of each
 * @returns the mean or sum of the log-probabilities of each answer's tokens
 * @throws OpenFlamingoError `usage` for no answers or one without tokens; `prompt-too-long`, `image-count`,
 *   `logits-not-finite`, `backend`; `signal.reason` when stopped
 */
export async function rank(
  runner: Pick<ModelRunner, "tokenTree">,
  prompt: Prompt,
  answers: readonly (readonly number[])[],
  { normalize = true, signal }: RankOptions = {},
): Promise<readonly number[]> {
  check(answers);
  const longest = Math.max(...answers.map(({ length }) => length));
  const chunks = chunksOf(answers);
  const most = Math.max(...chunks.map(({ nodes }) => nodes.length));
  const sums = answers.map(() => 0);

  const tree = await runner.tokenTree(prompt, { nodes: most, depth: longest - 1 });
  try {
    const first = await tree.prefill({ signal });
    for (const { nodes, tokens } of chunks) {
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

/** Tokens that are read at once, and those whose probabilities are then known. */
interface Chunk {
  readonly nodes: TreeNode[];
  readonly tokens: { readonly answer: number; readonly after: number; readonly token: number }[];
}

/** Answers that begin alike come together. What follows an answer's last token is not asked for: it is never read. */
function chunksOf(answers: readonly (readonly number[])[]): readonly Chunk[] {
  const chunks: Chunk[] = [];
  let known = new Map<string, number>(); // beginnings of answers that are nodes of the last chunk
  for (const answer of sorted(answers)) {
    if (chunks.length === 0 || chunks.at(-1)!.nodes.length >= chunkLength) {
      chunks.push({ nodes: [], tokens: [] });
      known = new Map();
    }
    const { nodes, tokens } = chunks.at(-1)!;
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
  return chunks;
}

/** The numbers of the answers in the order of their tokens. */
function sorted(answers: readonly (readonly number[])[]): readonly number[] {
  return [...answers.keys()].sort((a, b) => {
    const [one, other] = [answers[a]!, answers[b]!];
    const at = one.findIndex((token, i) => token !== other[i]);
    return at < 0 ? one.length - other.length : one[at]! - (other[at] ?? -1);
  });
}

function check(answers: readonly (readonly number[])[]): void {
  if (answers.length === 0) {
    throw new OpenFlamingoError("usage", "there are no answers to rank", { hint: "Give at least one." });
  }
  const empty = answers.findIndex((tokens) => tokens.length === 0);
  if (empty < 0) return;
  throw new OpenFlamingoError("usage", `answer ${empty + 1} of ${answers.length} is empty`, {
    hint: "An answer must have at least one token.",
  });
}
