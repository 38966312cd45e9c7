/** From generated tokens to text as it becomes certain: whole characters only, cut before a stop string. */
import { listOf, optional, text } from "../base/fields.js";
import { createStopMatcher } from "../text/stopStrings.js";
import { createStreamDecoder } from "../text/streamDecoder.js";
import type { Tokenizer } from "../text/tokenizer.js";
import type { GeneratedToken } from "./rows.js";

export type FinishReason = "endofchunk" | "length" | "stop";

/** Part of an answer. The texts of all pieces together are the answer's text. */
export interface Piece {
  /** May be empty while a character, or what could be a stop string, is unfinished. */
  readonly text: string;
  readonly id: number;
  readonly logProb?: number;
  /** Present on the last piece. */
  readonly finishReason?: FinishReason;
}

/** Takes the tokens of one answer, one by one. */
export interface AnswerText {
  push(token: GeneratedToken): Piece;
}

/** What stop strings may be: an empty one would end every answer at once. */
export const stopReader = optional(listOf(text));

/** @param stop strings that end the answer, that `stopReader` lets through; they are not part of it */
export function createAnswerText(tokenizer: Tokenizer, stop: readonly string[]): AnswerText {
  const decoder = createStreamDecoder(tokenizer, { skipSpecialTokens: true });
  const matcher = createStopMatcher(stop);
  return {
    push({ id, logProb, finished }) {
      let { text, stopped } = matcher.push(decoder.push(id));
      if (finished && !stopped) {
        const rest = matcher.push(decoder.end());
        stopped = rest.stopped;
        text += rest.text + (stopped ? "" : matcher.end());
      }
      const reasons = { end: "endofchunk", length: "length" } as const;
      const finishReason = stopped ? "stop" : finished && reasons[finished];
      return { text, id, ...(logProb !== undefined && { logProb }), ...(finishReason && { finishReason }) };
    },
  };
}
