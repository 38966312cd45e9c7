/**
 * Fuzzes the readers of untrusted files, as long as one likes:
 *
 *     npx tsx scripts/fuzz.ts --count 200000 --seed 1 --kind pickle
 *
 * `--count` is shared out among the kinds (all, or those given; `--kind` may be repeated). `--first` is the number of
 * the first input: a failure prints the options that repeat it alone. `--limit` is the seconds that one input may take.
 *
 * Inputs are read in a process of their own, which notes the number of each before it is read: so one that hangs, or
 * takes the process down, is known by its number, and those after it are read all the same.
 */
import { fork } from "node:child_process";
import { mkdtempSync, openSync, readFileSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import {
  emptyReport,
  type FuzzOptions,
  type FuzzReport,
  fuzz,
  joined,
  shownReport,
} from "../test/fuzz/fuzz.js";
import type { FuzzKind } from "../test/fuzz/kind.js";
import { kinds } from "../test/fuzz/kinds.js";

interface Job extends Omit<FuzzOptions, "onInput"> {
  readonly kind: string;
  readonly first: number;
  readonly limit: number;
  /** Path of the note. */
  readonly note: string;
}

/** Inputs of one process: a leak or a hang costs no more than these. */
const batch = 20_000;

if (process.argv[2] === "work") process.once("message", work);
else await main();

/** In the process of its own: does one job, and reports it. */
async function work(message: unknown): Promise<void> {
  const { kind: name, note, ...options } = message as Job;
  const kind = kinds.find((each) => each.name === name)!;
  const file = openSync(note, "r+");
  const onInput = (input: number) => writeSync(file, String(input).padStart(16), 0);
  try {
    const report = await fuzz(kind, { ...options, onInput });
    process.send!(report, () => process.disconnect());
  } finally {
    kind.close?.();
  }
}

/** Does a job in a process of its own; where that hangs or dies, all but the input that it was at. */
async function run(job: Job): Promise<FuzzReport> {
  const { kind, seed } = job;
  if (job.count === 0) return emptyReport(kind, seed);
  writeFileSync(job.note, "");
  const child = fork(fileURLToPath(import.meta.url), ["work"], {
    execArgv: [...process.execArgv, "--expose-gc"],
  });
  let report: FuzzReport | undefined;
  child.on("message", (message) => {
    report = message as FuzzReport;
  });
  child.send(job);
  const atInput = () => readFileSync(job.note, "latin1");
  let [last, since, hangs] = ["", performance.now(), false];
  const watch = setInterval(() => {
    const input = atInput();
    if (input !== last) [last, since] = [input, performance.now()];
    // A reader that still looks at its signal is given the time to be stopped, and the first input that to be compiled.
    else if (performance.now() - since > 1000 * (2 * job.limit + 10)) hangs = child.kill("SIGKILL");
  }, 200);
  const code = await new Promise<string>((resolve) => {
    child.once("exit", (status, signal) => resolve(String(status ?? signal)));
  });
  clearInterval(watch);
  if (report) return report;

  if (atInput() === "") throw new Error(`${kind}: the process ended with ${code} before its first input`);
  const input = Number(atInput());
  const what = hangs ? "hangs" : `ends the process with ${code}`;
  const before = await run({ ...job, count: input - job.first });
  const after = await run({ ...job, first: input + 1, count: job.first + job.count - input - 1 });
  const here = { ...emptyReport(kind, seed), inputs: 1, failures: [{ input, what }] };
  return [here, after].reduce(joined, before);
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      count: { type: "string", default: "200000" },
      seed: { type: "string", default: "1" },
      first: { type: "string", default: "0" },
      limit: { type: "string", default: "5" },
      kind: { type: "string", multiple: true, default: kinds.map(({ name }) => name) },
    },
  });
  const [count, seed, first, limit] = [
    Number(values.count),
    Number(values.seed),
    Number(values.first),
    Number(values.limit),
  ];
  const chosen = values.kind.map((name): FuzzKind => {
    const kind = kinds.find((each) => each.name === name);
    if (!kind) throw new Error(`no kind ${name}; there are ${kinds.map((each) => each.name).join(", ")}`);
    return kind;
  });
  const folder = mkdtempSync(join(tmpdir(), "openflamingo-fuzz-"));
  try {
    for (const { name } of chosen) {
      const end = first + Math.ceil(count / chosen.length);
      let report = emptyReport(name, seed);
      for (let at = first; at < end; at += batch) {
        const job = { kind: name, seed, first: at, count: Math.min(batch, end - at), limit };
        report = joined(report, await run({ ...job, note: join(folder, "note") }));
      }
      console.log(shownReport(report));
      if (report.failures.length > 0) process.exitCode = 1;
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
}
