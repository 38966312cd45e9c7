/** Every native object is released once, and only once, whatever becomes of the load or the run that made it. */
import { afterEach, expect, test, vi } from "vitest";
import * as errors from "../../src/base/errors.js";
import { zeros } from "../../src/runtime/hostTensor.js";
import type { OrtApi } from "../../src/runtime/ortApi.node.js";
import { openOrtBinding } from "../../src/runtime/ortBinding.node.js";
import type { Runtime } from "../../src/runtime/runtime.js";
import { WorkerCalls } from "../../src/runtime/workerCalls.node.js";
import { addition, chain, floats, wrongShape } from "./programs.js";

vi.doMock("../../src/base/errors.js", () => errors); // the one class, also for modules that are loaded anew

afterEach(() => {
  vi.doUnmock("../../src/runtime/ortApi.node.js");
  vi.resetModules();
  vi.restoreAllMocks();
});

const x = zeros("float32", [512, 512]);
const a = floats([1, 3], [1, 2, 3]);
const long = chain(60, 512, () => 0);
const large = chain(6_000, 8); // made here, as that takes a while too

/** What becomes of a call that is aborted as soon as it has begun. */
async function aborted<T>(call: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const called = call(controller.signal);
  await Promise.resolve();
  controller.abort(new Error("enough"));
  return called;
}

/** All ways in which loads and runs end. */
async function everything(runtime: Runtime): Promise<void> {
  const session = await runtime.load(chain(1, 3));
  const [bound, released, kept] = [a, a, a].map((tensor) => runtime.bind(tensor));
  await session.run({ x: a });
  await session.run({ x: bound! }, { outputs: { y: floats([1, 3], [0, 0, 0]) } });
  const run = session.run({ x: released! });
  released!.release(); // in the middle of its run
  released!.release();
  await run;
  bound!.release();
  await session.run({ x: kept! }); // its runtime releases it in the end

  const scalar = { ...chain(1, 3), name: "seen", weights: new Map([["w", zeros("float32", [3, 3])]]) };
  await (await runtime.load(scalar)).close();
  const rejected: Promise<unknown>[] = [
    session.run({ x: bound! }), // released before
    runtime.load({ ...addition, bytes: Uint8Array.of(1, 2, 3) }),
    runtime.load({ ...chain(1, 3), weights: new Map() }),
    aborted((signal) => runtime.load(large, { signal })),
  ];
  for (const outcome of await Promise.allSettled(rejected)) expect(outcome.status).toBe("rejected");

  const failing = await runtime.load(wrongShape, { threads: 1 });
  const two = floats([2, 3], () => 1);
  await expect(failing.run({ a: two, b: two })).rejects.toThrow("failed");
  const stopped = await runtime.load(long);
  await expect(aborted((signal) => stopped.run({ x }, { signal }))).rejects.toThrow("enough");
  const closing = Promise.allSettled([stopped.run({ x }), stopped.run({ x }), runtime.load(large)]);
  await new Promise((resolve) => setImmediate(resolve));
  await runtime.close();
  for (const outcome of await closing) expect(outcome).toMatchObject({ reason: { code: "closed" } });
}

const kinds: Readonly<Record<string, string>> = {
  CreateTensorWithDataAsOrtValue: "Value",
  CreateRunOptions: "RunOptions",
  CreateSessionOptions: "SessionOptions",
};

/** Keeps account of the native objects that go through an API: what is alive, and what uses what. */
function ledger() {
  const alive = new Map<bigint, string>();
  const made = new Map<string, number>();
  const faults: string[] = [];
  /** Values by the options or the session that use them as weights. */
  const weights = new Map<bigint, bigint[]>();
  /** The objects of each call that is under way. */
  const running = new Set<readonly bigint[]>();
  const enter = (object: bigint, kind: string) => {
    alive.set(object, kind);
    made.set(kind, (made.get(kind) ?? 0) + 1);
  };
  const isUsed = (object: bigint) =>
    [...running].some((objects) => objects.includes(object)) ||
    [...weights].some(([user, values]) => alive.has(user) && values.includes(object));

  const through = (api: OrtApi): OrtApi => ({
    ...api,
    call(name, ...args) {
      const [options, , value] = args as [bigint, string, bigint];
      if (name === "AddInitializer") weights.set(options, [...(weights.get(options) ?? []), value]);
      api.call(name, ...args);
    },
    create(name, ...args) {
      const object = api.create(name, ...args);
      const kind = kinds[name];
      if (kind !== undefined) enter(object, kind);
      if (kind === "SessionOptions") weights.set(object, []); // an address may come again
      return object;
    },
    async callAsync(name, args, keep) {
      const objects = args.flatMap((arg) =>
        typeof arg === "bigint" ? [arg] : arg instanceof BigUint64Array ? [...arg] : [],
      );
      running.add(objects);
      try {
        await api.callAsync(name, args, keep);
      } finally {
        running.delete(objects);
      }
      if (name !== "CreateSessionFromArray") return;
      const session = (args.at(-1) as BigUint64Array)[0]!;
      enter(session, "Session");
      weights.set(session, weights.get(args[3] as bigint) ?? []);
    },
    release(kind, object) {
      if (alive.get(object) !== kind) faults.push(`a ${kind} is released that is not there any more`);
      else if (isUsed(object)) faults.push(`a ${kind} is released while it is used`);
      else {
        alive.delete(object);
        api.release(kind, object);
      }
    },
  });
  return { alive, made, faults, through };
}

test("ort.ffi's values, options and sessions, none while it is used", async () => {
  const { alive, made, faults, through } = ledger();
  const real = await import("../../src/runtime/ortApi.node.js");
  vi.doMock("../../src/runtime/ortApi.node.js", () => ({
    ...real,
    openOrtApi: async (path: string) => through(await real.openOrtApi(path)),
  }));
  vi.resetModules();
  const { openOrtFfi } = await import("../../src/runtime/ortFfi.node.js");
  await everything(await openOrtFfi());
  console.log(`made and released: ${[...made].map(([kind, count]) => `${count} ${kind}`).join(", ")}`);
  expect(faults).toEqual([]);
  expect([...alive.values()]).toEqual([]);
  expect([...made.keys()].sort()).toEqual(["RunOptions", "Session", "SessionOptions", "Value"]);
});

test("ort.binding's sessions, all of them before its thread ends", async () => {
  const loaded = new Set<number>();
  const released: number[] = [];
  const { call } = WorkerCalls.prototype;
  vi.spyOn(WorkerCalls.prototype, "call").mockImplementation(function (this: WorkerCalls<never>, ...args) {
    const [name, argument] = args as unknown as [string, { session: number } | number];
    const answer = Reflect.apply(call, this, args) as Promise<never>;
    if (name === "load")
      answer.then(() => loaded.add((argument as { session: number }).session)).catch(() => {});
    if (name === "release") answer.then(() => released.push(argument as number)).catch(() => {});
    return answer;
  });
  await everything(await openOrtBinding());
  console.log(`loaded ${[...loaded].join(", ")}; released ${released.join(", ")}`);
  expect(loaded.size).toBeGreaterThan(5);
  expect(new Set(released).size).toBe(released.length);
  // The last one was being loaded when the runtime was closed: it ends with the thread.
  const left = [...loaded].filter((session) => !released.includes(session));
  expect(left.length).toBeLessThanOrEqual(1);
});
