import sharp from "sharp";
import { expect, test } from "vitest";
import { type Query, type Task, wrongBefore } from "../../../../recipes/tiny/evaluate/task.js";
import { selected, tasksOf } from "../../../../recipes/tiny/evaluate/tasks.js";
import { captionStyles, readCaption } from "../../../../recipes/tiny/words/captions.js";
import { lexiconOf, phraseOf } from "../../../../recipes/tiny/words/facts.js";
import { nonsenseNames } from "../../../../recipes/tiny/words/nonsense.js";
import { isHeldOut } from "../../../../recipes/tiny/world/heldOut.js";
import { type Style, type Thing, trainedStyles } from "../../../../recipes/tiny/world/scene.js";
import { characters, photographs, things, worldOf } from "./fixtures.js";

const sets = { cifar10: photographs, tinyImageNet: photographs, omniglot: characters };
const lexicon = lexiconOf(things);
const count = 20;

const tasks = tasksOf(worldOf(5), sets);
const taskOf = (name: string, all: readonly Task[] = tasks) => all.find((task) => task.name === name)!;
const ask = (task: Task, queries = count): Promise<Query[]> =>
  Promise.all(Array.from({ length: queries }, (_, index) => task.query(index)));

/** A task whose world tells what is drawn. */
function watched(name: string): { task: Task; drawn: { thing: Thing; style: Style }[] } {
  const drawn: { thing: Thing; style: Style }[] = [];
  const world = worldOf(5, (thing, style) => drawn.push({ thing, style }));
  return { task: taskOf(name, tasksOf(world, sets)), drawn };
}

test("every task: the same queries at each time, others by another seed, an image for each <image>", async () => {
  const again = tasksOf(worldOf(5), sets);
  const others = tasksOf(worldOf(6), sets);
  for (const task of tasks) {
    const queries = await ask(task, 2);
    const plain = (all: Query[]) => all.map(({ judge: _, ...query }) => query);
    const forms = plain(queries);
    expect(plain(await ask(taskOf(task.name, again), 2))).toEqual(forms);
    expect(plain(await ask(taskOf(task.name, others), 2)), task.name).not.toEqual(forms);
    for (const { prompt, images, accepted, choices, judge } of queries) {
      expect(prompt.split("<image>").length - 1, task.name).toBe(images.length);
      expect(accepted.length).toBeGreaterThan(0);
      if (choices) expect(choices).toContain(accepted[0]);
      // The wanted answer is right in every measure, and none is in that of saying nothing.
      const wanted = {
        text: accepted[0]!.trim(),
        ...(choices && { logProbs: choices.map((choice) => (choice === accepted[0] ? -1 : -2)) }),
      };
      const nothing = { text: "", ...(choices && { logProbs: choices.map(() => -1) }) };
      for (const { name } of task.measures) {
        expect([task.name, name, judge(wanted)[name]]).toEqual([task.name, name, true]);
        // Of three kinds one is always among the first five.
        if (name !== "five") expect([name, judge(nothing)[name]]).toEqual([name, false]);
      }
    }
  }
});

test("one thing: trained styles in one task, OpenMoji alone in the other, named things in both", async () => {
  const stylesOf: Readonly<Record<string, readonly Style[]>> = {
    things: trainedStyles,
    "things-new-style": ["openmoji"],
  };
  for (const [name, styles] of Object.entries(stylesOf)) {
    const { task, drawn } = watched(name);
    const queries = await ask(task);
    expect(drawn.filter(({ thing, style }) => !thing.isNamed || !styles.includes(style))).toEqual([]);
    expect(new Set(queries.map(({ accepted }) => accepted[0])).size).toBeGreaterThan(5);
  }
});

test("kinds that stand together never do so in training", async () => {
  let pairs = 0;
  const styles = await ask(taskOf("styles"));
  const captions = [
    ...(await ask(taskOf("scenes"))).map(({ accepted }) => accepted[0]!),
    ...styles.map(({ accepted }) => accepted[0]!),
    ...styles.flatMap(({ prompt }) =>
      [...prompt.matchAll(/Output:(.+?)<\|endofchunk\|>/g)].map(([, each]) => each!),
    ),
  ];
  expect(captions.length).toBe(count * 6);
  for (const caption of captions) {
    const { counted } = readCaption(caption, lexicon)!.facts;
    for (const { thing } of counted) {
      for (const other of counted) {
        if (other === counted.find((each) => each.thing === thing)) continue;
        expect(isHeldOut(thing, other.thing)).toBe(true);
        pairs++;
      }
    }
  }
  expect(pairs).toBeGreaterThan(20);
});

test("a scene's caption counts only if things, counts and relation are right", async () => {
  const task = taskOf("scenes");
  const queries = await ask(task, 60);
  expect(queries.slice(0, 6).map(({ parts }) => parts!.things)).toEqual(["1", "2", "3", "1", "2", "3"]);
  const related = queries.find(({ parts }) => parts!.relation === "said")!;
  const together = phraseOf(readCaption(related.accepted[0]!, lexicon)!.facts.counted);
  expect(related.judge({ text: together })).toEqual({ whole: false, kinds: true, counts: true });
  const two = queries.find(
    ({ accepted }) => accepted[0]!.startsWith("two ") && !/ and |,/.test(accepted[0]!),
  )!;
  const three = two.accepted[0]!.replace("two", "three");
  expect(two.judge({ text: three })).toEqual({ whole: false, kinds: true, counts: false });
});

test("a style is followed by any caption in it", async () => {
  const queries = await ask(taskOf("styles"), 40);
  expect(new Set(queries.map(({ parts }) => parts!.style))).toEqual(new Set(captionStyles));
  const photo = queries.find(({ parts }) => parts!.style === "photo")!;
  expect(photo.judge({ text: "photo of a gibberish" })).toEqual({ followed: true, whole: false });
  expect(photo.judge({ text: "I see a pizza." })).toEqual({ followed: false, whole: false });
});

test("names that training never says, for things that it never names", async () => {
  const [train, reserved] = [nonsenseNames("train", []), nonsenseNames("test", [])];
  for (const kind of ["text-text", "image-query", "text-query", "image-image"]) {
    const { task, drawn } = watched(`names-${kind}-4way-8shots`);
    for (const { prompt, images, accepted, choices } of await ask(task)) {
      const names = choices!.map((choice) => choice.trim());
      expect(names.length).toBe(4);
      expect(names.filter((name) => !reserved.includes(name) || train.includes(name))).toEqual([]);
      expect(prompt.split("<|endofchunk|>").length - 1).toBe(8);
      for (const choice of choices!) expect(prompt).toContain(`${choice}<|endofchunk|>`);
      expect(choices).toContain(accepted[0]);
      expect(images.length).toBe({ "text-text": 0, "image-query": 1, "text-query": 8 }[kind] ?? 9);
    }
    expect(drawn.every(({ thing }) => thing.isNamed === (kind !== "image-image"))).toBe(true);
    expect(drawn.length > 0).toBe(kind !== "text-text");
  }
});

test("without demonstrations the prompt says nothing of the names", async () => {
  for (const { prompt, choices } of await ask(taskOf("names-image-image-2way-0shots"))) {
    expect(prompt).toBe("<image>");
    expect(choices!.length).toBe(2);
  }
});

test("characters: one alphabet, and nobody's drawing twice", async () => {
  for (const { prompt, images, accepted } of await ask(taskOf("omniglot-2way-8shots"))) {
    const colours = await Promise.all(
      images.map(async (image) => [...(await sharp(image).raw().toBuffer()).subarray(0, 2)]),
    );
    expect(new Set(colours.map(([, drawer]) => drawer)).size).toBe(9);
    expect(new Set(colours.map(([character]) => Math.floor(character! / 80))).size).toBe(1);
    // A name is always the same character's, the query's too.
    const names = [...prompt.matchAll(/<image>( \w+)<\|endofchunk\|>/g)].map(([, name]) => name!);
    const called = [...names, accepted[0]!].map((name, i) => `${name} ${colours[i]![0]}`);
    expect(new Set(called).size).toBe(2);
  }
});

test("photographs are asked for once each, by lot, with their own names alone as right choices", async () => {
  const task = taskOf("tinyimagenet");
  expect(task.most).toBe(photographs.length);
  const queries = await ask(task, task.most);
  const numbers = await Promise.all(
    queries.map(async ({ images }) => (await sharp(images[0]!).raw().toBuffer())[1]! / 8),
  );
  expect([...numbers].sort((a, b) => a - b)).toEqual(photographs.map((_, i) => i));
  expect(numbers).not.toEqual(photographs.map((_, i) => i));
  const ox = queries.find(({ accepted }) => accepted[0] === "an ox")!;
  expect(ox.choices).toEqual(["a car", "a tabby cat", "an ox"]);
  expect(ox.judge({ text: "a tabby cat", logProbs: [-3, -1, -2] })).toEqual({
    named: true,
    first: false,
    five: true,
  });
});

test("a choice is first only where it is more probable than every wrong one", () => {
  const query = { accepted: ["b", "c"], choices: ["a", "b", "c", "d"] };
  const before = (...logProbs: number[]) => wrongBefore(query, { text: "", logProbs });
  expect([before(-2, -1, -3, -4), before(-2, -5, -1, -4)]).toEqual([0, 0]);
  expect([before(-1, -1, -3, -4), before(-1, -4, -5, -2)]).toEqual([1, 2]);
  expect(wrongBefore(query, { text: "b" })).toBe(Number.POSITIVE_INFINITY);
});

test("examples come before the same queries, and never the query itself", async () => {
  for (const name of ["scenes", "questions", "cifar10"]) {
    const plain = await ask(taskOf(name), 5);
    const shown = await ask(taskOf(`shots-${name}-8`), 5);
    for (const [i, { prompt, images, accepted, choices }] of shown.entries()) {
      const chunks = prompt.split("<|endofchunk|>");
      expect(chunks.length).toBe(9);
      expect(chunks.at(-1)).toBe(plain[i]!.prompt);
      expect({ accepted, choices }).toEqual({ accepted: plain[i]!.accepted, choices: plain[i]!.choices });
      const bytes = images.map((image) => Buffer.from(image).toString("base64"));
      expect(bytes.at(-1)).toBe(Buffer.from(plain[i]!.images[0]!).toString("base64"));
      expect(new Set(bytes).size).toBe(9);
      for (const chunk of chunks.slice(0, -1)) {
        if (name !== "questions") expect(chunk).toMatch(/^<image>Output:\S/);
        else expect(chunk).toMatch(/^<image>Question:\S.* Short answer:\S/);
        if (name === "cifar10") expect(choices).toContain(chunk.slice("<image>Output:".length));
        if (name === "scenes")
          expect(readCaption(chunk.slice("<image>Output:".length), lexicon)?.style).toBe("plain");
      }
    }
  }
});

test("tasks are chosen by their names or how they begin", () => {
  const names = (...given: string[]) => selected(tasks, given).map(({ name }) => name);
  expect(names("things", "omniglot")).toEqual([
    "things",
    "omniglot-2way-2shots",
    "omniglot-2way-4shots",
    "omniglot-2way-8shots",
  ]);
  expect(names("names").length).toBe(28);
  expect(names("shots").length).toBe(12);
  expect(names("names-image-image").length).toBe(7);
  expect(selected(tasks, undefined)).toBe(tasks);
  expect(() => names("thing")).toThrow("no such task: thing. There are things, ");
});
