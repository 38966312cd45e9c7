/** What a run says of its steps: JSON lines for programs, and TensorBoard's events. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { diskError } from "../base/wholeFile.node.js";
import { type Appended, type FindEntry, openAppended } from "./appended.node.js";
import { type EventValues, eventOf, firstEvent, recordIn } from "./eventFile.js";

export const logFile = "log.jsonl";
export const eventFolder = "tensorboard";
const eventFile = "events.out.tfevents.0000000000.openflamingo";

export interface Logs {
  /**
   * Notes the values of a step, which is not below the one before: a line `{"step": 1, …}`, and a point in each diagram.
   * A number that is not finite is a text in the line, as JSON has none.
   *
   * @throws OpenFlamingoError `disk`
   */
  log(step: number, values: EventValues): Promise<void>;
  /** Brings both files to the disk. */
  sync(): Promise<void>;
  close(): Promise<void>;
}

/**
 * Opens both logs of a run.
 *
 * @param lastStep what belongs to later steps is cut off, so that a resumed run's log is that of one left alone
 * @param now the time in seconds since 1970, for TensorBoard
 * @throws OpenFlamingoError `disk`
 */
export async function openLogs(
  run: string,
  lastStep: number,
  now: () => number = () => Date.now() / 1000,
): Promise<Logs> {
  const folder = join(run, eventFolder);
  await mkdir(folder, { recursive: true }).catch((error: unknown) => {
    throw diskError(folder, error);
  });
  const lines = await openAppended(join(run, logFile), lastStep, findLine);
  let events: Appended;
  try {
    events = await openEvents(join(folder, eventFile), lastStep, now);
  } catch (error) {
    await lines.close();
    throw error;
  }
  return {
    async log(step, values) {
      const shown = Object.entries(values).map(([name, value]) => [name, shownNumber(value)]);
      const line = `${JSON.stringify({ step, ...Object.fromEntries(shown) })}\n`;
      await lines.append(new TextEncoder().encode(line));
      await events.append(eventOf(step, now(), values));
    },
    async sync() {
      await lines.sync();
      await events.sync();
    },
    async close() {
      await lines.close();
      await events.close();
    },
  };
}

const shownNumber = (value: number | string): number | string =>
  typeof value === "number" && !Number.isFinite(value) ? String(value) : value;

/** Bytes of a line; a caption or two hundred values fit. */
const longestLine = 2 ** 20;

/** A whole line that is none of ours, as of a damaged disk, stays: it says nothing of what follows it. */
const findLine: FindEntry = (bytes) => {
  const end = bytes.indexOf(0x0a);
  if (end < 0) return bytes.length > longestLine ? undefined : "incomplete";
  return { length: end + 1, step: stepOfLine(bytes.subarray(0, end)) ?? 0 };
};

function stepOfLine(line: Uint8Array): number | undefined {
  try {
    const { step } = JSON.parse(new TextDecoder().decode(line)) as { step: unknown };
    return typeof step === "number" ? step : undefined;
  } catch {
    return undefined;
  }
}

async function openEvents(path: string, lastStep: number, now: () => number): Promise<Appended> {
  let isEmpty = true;
  const events = await openAppended(path, lastStep, (bytes) => {
    const found = recordIn(bytes);
    if (typeof found === "object") isEmpty = false;
    return found;
  });
  if (isEmpty) await events.append(firstEvent(now()));
  return events;
}
