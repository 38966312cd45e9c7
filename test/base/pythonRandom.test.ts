/** Python's generator and the Mersenne Twister beneath it, beside values of Python, numpy and torch themselves. */
import { expect, test } from "vitest";
import { seedByWord, seedByWords, twisterFrom } from "../../src/base/mersenneTwister.js";
import { pythonRandom, pythonRandomFrom } from "../../src/base/pythonRandom.js";

test("the published test vector of the generator", () => {
  // mt19937ar.out: init_by_array([0x123, 0x234, 0x345, 0x456]).
  const twister = twisterFrom(seedByWords([0x123, 0x234, 0x345, 0x456]));
  const words = Array.from({ length: 5 }, () => twister.next());
  expect(words).toEqual([1067595299, 955945823, 477289528, 4107218783, 4228976476]);
});

test("seeded by a word as numpy and torch are", () => {
  // The default seed of C++'s std::mt19937, whose first and 10,000th word its standard gives.
  const twister = twisterFrom(seedByWord(5489));
  const words = Array.from({ length: 10_000 }, () => twister.next());
  expect([words[0], words[9999]]).toEqual([3499211612, 4123659995]);
});

test("random.seed(s), random.random(), random.randrange(n) as in Python", () => {
  expect(pythonRandom(42).random()).toBe(0.6394267984578837);
  expect(pythonRandom(0).random()).toBe(0.8444218515250481);
  expect(pythonRandom(2 ** 40 + 7).random()).toBe(0.6137037779936511);
  const of42 = pythonRandom(42);
  expect(Array.from({ length: 8 }, () => of42.below(10))).toEqual([1, 0, 4, 3, 3, 2, 1, 8]);
  const ofPowers = pythonRandom(7);
  expect([1, 2, 2048, 4096, 2 ** 32 - 1].map((n) => ofPowers.below(n))).toEqual([0, 0, 1617, 395, 311111475]);
});

test("a state is a JSON value from which the same numbers follow, and using it does not change it", () => {
  const random = pythonRandom(3);
  for (let i = 0; i < 700; i++) random.random();
  const state = JSON.parse(JSON.stringify(random.state()));
  const numbers = Array.from({ length: 400 }, () => random.random());
  const again = pythonRandomFrom(state);
  expect(numbers.map(() => again.random())).toEqual(numbers);
  expect(pythonRandomFrom(state).random()).toBe(numbers[0]);
});
