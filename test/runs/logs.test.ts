/** A run's logs: JSON lines, and event files as TensorBoard reads them. */
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { crc32c, recordIn } from "../../src/runs/eventFile.js";
import { openLogs } from "../../src/runs/logs.node.js";
import { expectError, temporaryFolder } from "../checkpoints/fixtures.js";

const bytes = (text: string) => new TextEncoder().encode(text);

test("CRC-32C is that of RFC 3720, B.4", () => {
  expect(crc32c(bytes("123456789"))).toBe(0xe3069283);
  expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa);
  expect(crc32c(new Uint8Array(32).fill(0xff))).toBe(0x62a8ab43);
  expect(crc32c(Uint8Array.from({ length: 32 }, (_, i) => i))).toBe(0x46dd794e);
});

/** A message's fields by their numbers: an independent reading of the wire format. */
function fieldsOf(message: Buffer): Map<number, (number | Buffer)[]> {
  const fields = new Map<number, (number | Buffer)[]>();
  let at = 0;
  const varint = () => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = message[at++]!;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return Number(value);
    }
  };
  while (at < message.length) {
    const key = varint();
    const [number, kind] = [key >> 3, key & 7];
    let value: number | Buffer;
    if (kind === 0) value = varint();
    else if (kind === 1) [value, at] = [message.readDoubleLE(at), at + 8];
    else if (kind === 5) [value, at] = [message.readFloatLE(at), at + 4];
    else {
      const length = varint();
      [value, at] = [message.subarray(at, at + length), at + length];
    }
    fields.set(number, [...(fields.get(number) ?? []), value]);
  }
  return fields;
}

interface ReadEvent {
  readonly time: number;
  readonly step: number;
  readonly version: string | undefined;
  readonly values: Readonly<Record<string, number | string>>;
}

function eventsIn(folder: string): ReadEvent[] {
  const [name, ...others] = readdirSync(join(folder, "tensorboard"));
  expect(name).toContain("tfevents");
  expect(others).toEqual([]);
  const file = readFileSync(join(folder, "tensorboard", name!));
  const events: ReadEvent[] = [];
  for (let at = 0; at < file.length; ) {
    const length = Number(file.readBigUInt64LE(at));
    const event = fieldsOf(file.subarray(at + 12, at + 12 + length));
    const summary = event.get(5)?.[0] as Buffer | undefined;
    const values = ((summary && fieldsOf(summary).get(1)) ?? []).map((value) => {
      const of = fieldsOf(value as Buffer);
      const tensor = of.get(8)?.[0] as Buffer | undefined;
      const text = tensor && (fieldsOf(tensor).get(8)![0] as Buffer);
      return [String(of.get(1)![0]), text ? text.toString() : (of.get(2)![0] as number)] as const;
    });
    const version = event.get(3)?.[0];
    events.push({
      ...{ time: event.get(1)![0] as number, step: (event.get(2)?.[0] as number | undefined) ?? 0 },
      ...{ version: version === undefined ? undefined : String(version), values: Object.fromEntries(values) },
    });
    at += 16 + length;
  }
  return events;
}

const lines = (folder: string) => readFileSync(join(folder, "log.jsonl"), "utf8");
const clock = () => 1_700_000_000.5;

/** Logs of the steps from `first` to `last`, of a run that was resumed before the first. */
async function logSteps(folder: string, first: number, last: number) {
  const logs = await openLogs(folder, first - 1, clock);
  for (let step = first; step <= last; step++) {
    await logs.log(step, { loss: 1 / step, "learning rate": 1e-4, caption: `a cat, ${step} → ä` });
  }
  await logs.sync();
  await logs.close();
}

test("a line and an event a step", async () => {
  const folder = temporaryFolder();
  await logSteps(folder, 1, 300);
  expect(lines(folder).split("\n").slice(0, 2)).toEqual([
    '{"step":1,"loss":1,"learning rate":0.0001,"caption":"a cat, 1 → ä"}',
    '{"step":2,"loss":0.5,"learning rate":0.0001,"caption":"a cat, 2 → ä"}',
  ]);
  const events = eventsIn(folder);
  expect(events[0]).toEqual({ time: 1_700_000_000.5, step: 0, version: "brain.Event:2", values: {} });
  expect(events.slice(1)).toEqual(
    Array.from({ length: 300 }, (_, i) => ({
      ...{ time: 1_700_000_000.5, step: i + 1, version: undefined },
      values: {
        loss: Math.fround(1 / (i + 1)),
        "learning rate": Math.fround(1e-4),
        caption: `a cat, ${i + 1} → ä`,
      },
    })),
  );
});

test("a resumed run's logs are, byte for byte, those of one left alone", async () => {
  const [alone, resumed] = [temporaryFolder(), temporaryFolder()];
  await logSteps(alone, 1, 400);
  await logSteps(resumed, 1, 350);
  const event = join(resumed, "tensorboard", readdirSync(join(resumed, "tensorboard"))[0]!);
  truncateSync(event, readFileSync(event).length - 7); // killed in the middle of writing
  appendFileSync(join(resumed, "log.jsonl"), '{"step":351,"lo');
  await logSteps(resumed, 201, 250);
  await logSteps(resumed, 151, 400);
  expect(lines(resumed)).toBe(lines(alone));
  expect(
    readFileSync(event).equals(
      readFileSync(join(alone, "tensorboard", readdirSync(join(alone, "tensorboard"))[0]!)),
    ),
  ).toBe(true);
});

test("the last entry, which a killed process did not finish, goes; what follows a damaged event too", async () => {
  const folder = temporaryFolder();
  await logSteps(folder, 1, 9);
  appendFileSync(join(folder, "log.jsonl"), '{"step":10,');
  const name = join(folder, "tensorboard", readdirSync(join(folder, "tensorboard"))[0]!);
  const all = readFileSync(name);
  const lastEvent = eventsIn(folder).length - 1;
  all[all.length - 30]! ^= 1; // in the data of the last event
  writeFileSync(name, all);
  await (await openLogs(folder, 100, clock)).close();
  expect(lines(folder).split("\n")).toHaveLength(10);
  expect(eventsIn(folder)).toHaveLength(lastEvent);
});

test("a line that is none stays where it is: it says nothing of the others", async () => {
  const folder = temporaryFolder();
  await logSteps(folder, 1, 2);
  appendFileSync(join(folder, "log.jsonl"), 'a note\n{"loss":1}\n{"step":3}\n{"step":4}\n');
  await (await openLogs(folder, 3, clock)).close();
  expect(lines(folder).split("\n").slice(2)).toEqual(["a note", '{"loss":1}', '{"step":3}', ""]);
});

test("a log without an end, and bytes that are no events, are cut off", async () => {
  const folder = temporaryFolder();
  await logSteps(folder, 1, 2);
  appendFileSync(join(folder, "log.jsonl"), Buffer.alloc(5 * 2 ** 20, "x"));
  const name = readdirSync(join(folder, "tensorboard"))[0]!;
  appendFileSync(join(folder, "tensorboard", name), Buffer.alloc(100, 0xff));
  await (await openLogs(folder, 9, clock)).close();
  expect(lines(folder).split("\n")).toHaveLength(3);
  expect(eventsIn(folder)).toHaveLength(3);
  expect(recordIn(new Uint8Array(5))).toBe("incomplete");
  expect(recordIn(new Uint8Array(50))).toBeUndefined();
});

test("numbers that JSON does not have are texts in a line", async () => {
  const folder = temporaryFolder();
  const logs = await openLogs(folder, 0, clock);
  await logs.log(1, { loss: Number.NaN, norm: Number.NEGATIVE_INFINITY });
  await logs.close();
  expect(lines(folder)).toBe('{"step":1,"loss":"NaN","norm":"-Infinity"}\n');
  expect(eventsIn(folder)[1]!.values).toEqual({ loss: Number.NaN, norm: Number.NEGATIVE_INFINITY });
});

test("entries that are given without waiting stand in their order", async () => {
  const folder = temporaryFolder();
  const logs = await openLogs(folder, 0, clock);
  await Promise.all(Array.from({ length: 50 }, (_, i) => logs.log(i + 1, { x: i })));
  await logs.close();
  const steps = lines(folder)
    .trim()
    .split("\n")
    .map((line) => (JSON.parse(line) as { step: number }).step);
  expect(steps).toEqual(Array.from({ length: 50 }, (_, i) => i + 1));
  expect(eventsIn(folder)).toHaveLength(51);
});

test("where a log cannot be, it is said", async () => {
  const folder = temporaryFolder();
  mkdirSync(join(folder, "log.jsonl"));
  await expectError(() => openLogs(folder, 0), "disk", "log.jsonl");
  const other = temporaryFolder();
  writeFileSync(join(other, "tensorboard"), "");
  await expectError(() => openLogs(other, 0), "disk", "tensorboard");
  expect(existsSync(join(other, "log.jsonl"))).toBe(false);
});
