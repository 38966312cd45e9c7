/** Answers are what the words of the question and the facts say, found out from the question's text alone. */
import { expect, test } from "vitest";
import { readCaption } from "../../../../recipes/tiny/words/captions.js";
import { factsAt } from "../../../../recipes/tiny/words/corpus.js";
import { drawsAt } from "../../../../recipes/tiny/words/draws.js";
import { type Facts, inverse, lexiconOf } from "../../../../recipes/tiny/words/facts.js";
import { numbers } from "../../../../recipes/tiny/words/names.js";
import {
  groupWords,
  kindsFor,
  type Question,
  questionKinds,
  questionOf,
} from "../../../../recipes/tiny/words/questions.js";
import type { Relation } from "../../../../recipes/tiny/world/scene.js";
import { things } from "./things.js";

const lexicon = lexiconOf(things);

const asked = Array.from({ length: 12_000 }, (_, i) => {
  const facts = factsAt(things, 2, i);
  const draws = drawsAt(3, "test", i);
  return { facts, question: questionOf(draws.pick(kindsFor(facts)), facts, things, draws) };
});

const has = (facts: Facts, name: string) =>
  facts.counted.find(({ thing }) => thing.name === name)?.count ?? 0;
const one = (phrase: string) => lexicon.byOne.get(phrase)!.name;

/** Whether a sentence is true, counts taken exactly. */
function isTrue(sentence: string, facts: Facts): boolean {
  const said = readCaption(`${sentence[0]!.toUpperCase()}${sentence.slice(1)}.`, lexicon)!.facts;
  return (
    said.counted.every(({ thing, count }) => has(facts, thing.name) === count) &&
    (said.relation === undefined || said.relation === facts.relation)
  );
}

/** Where the thing `a` lies, seen from `b`. */
const liesFrom = (facts: Facts, a: string, b: string): Relation =>
  facts.counted[1]!.thing.name === a && facts.counted[0]!.thing.name === b
    ? facts.relation!
    : inverse[facts.relation!];

/** The answer by the question's words; every wording has its own line. */
function answerTo({ question }: Question, facts: Facts): string {
  const match = (pattern: RegExp) => pattern.exec(question)?.[1];
  const yesNo = (is: boolean) => (is ? "yes" : "no");
  const [first] = facts.counted;
  const many = match(/^How many (.+) (?:are there|do you see)\?$/);
  if (many === "things") return numbers[facts.counted.reduce((sum, { count }) => sum + count, 0)]!;
  if (many !== undefined) return numbers[has(facts, lexicon.byMore.get(many)!.name)]!;
  if (/^(?:What is (?:this|it)|What does the image show)\?$/.test(question)) {
    return [...lexicon.byOne].find(([, { name }]) => name === first!.thing.name)![0];
  }
  if (/^(?:What kind of thing is it|Which group is it of)\?$/.test(question))
    return groupWords[first!.thing.group];
  const present =
    match(/^(?:Is|Are) there (.+)\?$/) ??
    match(/^Do you see (.+)\?$/) ??
    match(/^(?:Is|Are) (.+) in the image\?$/);
  if (present !== undefined) return yesNo(has(facts, one(present)) > 0);
  const statement = match(/^True or false: (.+)\.$/) ?? match(/^(.+)\. True or false\?$/);
  if (statement !== undefined) return String(isTrue(statement, facts));
  const agreement = match(/^Is it right that (.+)\?$/) ?? match(/^(.+), right\?$/);
  if (agreement !== undefined) return yesNo(isTrue(agreement, facts));
  const from = /^Where (?:is|are) the (.+), seen from the (.+)\?$/.exec(question);
  if (from) return liesFrom(facts, from[1]!, from[2]!).replace(" of", "");
  const beside = /^What is (?:to the )?(left of|right of|above|below) the (.+)\?$/.exec(question)!;
  const other = facts.counted.find(({ thing }) => thing.name !== beside[2])!.thing.name;
  expect(liesFrom(facts, other, beside[2]!), question).toBe(beside[1]);
  return [...lexicon.byOne].find(([, { name }]) => name === other)![0];
}

test("12,000 answers are right, of every kind", () => {
  for (const { facts, question } of asked) {
    expect(question.answer, `${JSON.stringify(facts)} ${question.question}`).toBe(answerTo(question, facts));
  }
  const kinds = new Set(asked.map(({ question }) => question.kind));
  expect([...kinds].sort()).toEqual([...questionKinds].sort());
});

test.each([
  ["presence", "yes"],
  ["agreement", "yes"],
  ["statement", "true"],
])("of %s, half are answered %s, in every wording", (kind, answer) => {
  const those = asked.filter(({ question }) => question.kind === kind).map(({ question }) => question);
  const beginnings = new Map<string, string[]>();
  for (const question of those) {
    const wording = question.question.replace(
      /^(True or false|Is it right|Do you see|(?:Is|Are) there)?.*?( in the image)?(. True or false|, right)?\?$/,
      "$1$2$3",
    );
    beginnings.set(wording, [...(beginnings.get(wording) ?? []), question.answer]);
  }
  for (const answers of [those.map((question) => question.answer), ...beginnings.values()]) {
    if (answers.length < 200) continue;
    const share = answers.filter((each) => each === answer).length / answers.length;
    // Three standard deviations.
    expect(Math.abs(share - 0.5)).toBeLessThan(1.5 / Math.sqrt(answers.length));
  }
});

test("a question of another thing is asked about none that is there", () => {
  const few = things.slice(0, 4);
  const facts: Facts = { counted: few.slice(0, 3).map((thing) => ({ thing, count: 1 })) };
  for (let i = 0; i < 200; i++) {
    const { question, answer } = questionOf("presence", facts, few, drawsAt(1, "absent", i));
    expect(answer === "no", question).toBe(question.includes(few[3]!.name));
  }
});
