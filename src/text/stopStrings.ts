/** Ends an answer at a stop string, also where it arrives in pieces. */
import { OpenFlamingoError } from "../base/errors.js";

export interface StopMatcher {
  /**
   * Takes the next piece of the answer. `text` is what can be shown: nothing that may be the beginning of a stop
   * string, and nothing from a complete one on. Once `stopped`, further pieces are ignored.
   */
  push(text: string): { readonly text: string; readonly stopped: boolean };
  /** What was held back when the answer ended without a stop string. */
  end(): string;
}

/**
 * Makes a matcher for one answer. The stop string that is complete first ends it; of several that end at the same
 * place, the longest is cut off. How the answer is cut into pieces makes no difference.
 *
 * Every stop string has an automaton (Knuth, Morris, Pratt): the time is linear in the answer.
 *
 * @throws OpenFlamingoError `usage`: an empty stop string
 */
export function createStopMatcher(stops: readonly string[]): StopMatcher {
  if (stops.includes("")) {
    throw new OpenFlamingoError("usage", "stop: a stop string is empty, it would end every answer at once", {
      hint: "Leave the empty string out.",
    });
  }
  const automata = stops.map((stop) => ({ stop, borders: borders(stop), matched: 0 }));
  let held = "";
  let stopped = false;
  return {
    push(text) {
      if (stopped) return { text: "", stopped };
      const known = held + text;
      for (let i = held.length; i < known.length; i++) {
        let cut = 0;
        for (const automaton of automata) {
          automaton.matched = step(automaton.stop, automaton.borders, automaton.matched, known[i]!);
          if (automaton.matched === automaton.stop.length) cut = Math.max(cut, automaton.matched);
        }
        if (cut > 0) {
          stopped = true;
          held = "";
          return { text: known.slice(0, i + 1 - cut), stopped };
        }
      }
      const shown = known.length - Math.max(0, ...automata.map(({ matched }) => matched));
      held = known.slice(shown);
      return { text: known.slice(0, shown), stopped };
    },
    end() {
      const rest = held;
      held = "";
      return rest;
    },
  };
}

/** How much of `stop` the text ends with after one more unit. */
function step(stop: string, borders: readonly number[], matched: number, unit: string): number {
  let length = matched;
  while (length > 0 && stop[length] !== unit) length = borders[length - 1]!;
  return stop[length] === unit ? length + 1 : 0;
}

/** For each beginning of `stop`: the length of its longest proper beginning that is also its end. */
function borders(stop: string): number[] {
  const result = [0];
  for (let i = 1; i < stop.length; i++) result.push(step(stop, result, result[i - 1]!, stop[i]!));
  return result;
}
