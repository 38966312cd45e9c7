/**
 * Several rows that go on from one prompt, as branches of its token tree: the prompt is read and kept once for all of
 * them, and a row that is no longer wanted costs nothing.
 *
 * Each row's attention passes over the tokens of all rows. Measured beside a batch in which every row reads the prompt
 * (32 blocks, width 256): 16 rows with 64 tokens of prompt and 64 new ones take 0.7 of the time, with 512 of prompt and
 * 20 new ones 0.2; 32 rows of 128 new tokens as long; 64 rows of 64 new ones 1.3 times as long.
 */
import type { DecoderOptions, RowDecoder } from "../runner/decoder.js";
import type { Prompt } from "../runner/encodedImages.js";
import type { ModelRunner } from "../runner/modelRunner.js";

/**
 * Rows that all continue one prompt.
 *
 * @throws OpenFlamingoError `prompt-too-long`, `image-count`, `usage` for an empty prompt
 */
export async function openBranches(
  runner: Pick<ModelRunner, "tokenTree">,
  prompt: Prompt,
  rows: number,
  { capacity, writtenImages }: DecoderOptions,
): Promise<RowDecoder> {
  const tree = await runner.tokenTree(prompt, { nodes: rows * capacity, depth: capacity, writtenImages });
  const last = Array.from({ length: rows }, () => -1); // node of each row
  let nodes = 0;
  return {
    prompts: last.map(() => prompt),
    async prefill(options) {
      const logits = await tree.prefill(options);
      return last.map(() => logits.slice());
    },
    async step(tokens, options) {
      const wanted = [...tokens.keys()].filter((row) => tokens[row] !== undefined);
      const children = wanted.map((row) => ({ parent: last[row]!, token: tokens[row]! }));
      const logits = await tree.add(children, options);
      const all = tokens.map((): Float32Array | undefined => undefined);
      for (const [i, row] of wanted.entries()) {
        last[row] = nodes++;
        all[row] = logits[i]!;
      }
      return all;
    },
    close: tree.close,
  };
}
