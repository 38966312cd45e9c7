/**
 * Standard output and error: answers go to the one, progress and notices to the other. Contract: "`--json`" and "Exit
 * codes".
 */
import { SingleBar } from "cli-progress";
import { OpenFlamingoError } from "../base/errors.js";
import type { Progress } from "../base/progress.js";
import { printable } from "../base/quoted.js";
import { exitCodes, interrupted } from "./exitCodes.js";
import { inFlags } from "./flagNames.js";
import { createRate } from "./rate.js";

export interface Terminal {
  readonly json: boolean;
  /** Part of an answer. */
  write(text: string): void;
  /** An answer, or the end of one. */
  line(text?: string): void;
  /** Something to know, unless `--quiet`. */
  notice(text: string): void;
  /**
   * How far something is, in pieces: a bar where somebody watches.
   *
   * @param more what to show beside it
   */
  progress(what: string, done: number, total: number, more?: () => string): void;
  /** The same in bytes, with rate and time left. */
  readonly bytes: Progress;
  /** Reports an error and returns the exit code that it asks for. */
  error(error: unknown): number;
  /** Aborted by Ctrl-C, and when the reader of standard output goes away. */
  readonly signal: AbortSignal;
  /** The exit code of an abort, if there was one. */
  stopped(): number | undefined;
}

export function createTerminal({ json, quiet }: { json: boolean; quiet: boolean }): Terminal {
  const controller = new AbortController();
  let stopCode: number | undefined;
  const stop = (code: number, reason: string) => {
    stopCode ??= code;
    controller.abort(new DOMException(reason, "AbortError"));
  };
  for (const name of ["SIGINT", "SIGTERM"] as const) {
    process.once(name, () => {
      stop(interrupted, "interrupted");
      // Asked twice, do not wait for anything.
      process.once(name, () => process.exit(interrupted));
    });
  }
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") return stop(0, "the reader of standard output went away");
    if (stopCode === undefined) show(unwritable(error));
    stop(exitCodes.disk, "standard output cannot be written");
  });
  process.stderr.on("error", () => {}); // there is nobody left to report to

  const bar = new SingleBar({
    format: "[{bar}] {percentage}%{amount}  {what}", // a narrow terminal cuts the end
    stream: process.stderr,
    clearOnComplete: true,
    barsize: 20,
  });
  let shownFor: string | undefined; // what the bar shows
  let rate = createRate();
  const progress = (what: string, done: number, total: number, more = () => "") => {
    if (quiet || !process.stderr.isTTY) return;
    if (shownFor !== what) {
      bar.stop();
      bar.start(total, done, { what, amount: "" });
      rate = createRate();
    } else bar.setTotal(total); // it may become more
    shownFor = done === total ? undefined : what;
    bar.update(done, { amount: more() });
    if (done === total) bar.stop();
  };
  let lineOpen = false;

  const show = (error: OpenFlamingoError) => {
    const { code } = error;
    const [message, hint] = [inFlags(error.message, error), inFlags(error.hint, error)];
    const shown = json
      ? JSON.stringify({ error: { code, message, hint } })
      : `openflamingo: ${message}\n  ${hint}`;
    process.stderr.write(`${shown}\n`);
  };

  return {
    json,
    signal: controller.signal,
    stopped: () => stopCode,
    write(text) {
      if (text) lineOpen = true;
      process.stdout.write(text);
    },
    line(text = "") {
      lineOpen = false;
      process.stdout.write(`${text}\n`);
    },
    notice(text) {
      if (!quiet) process.stderr.write(`${printable(text)}\n`);
    },
    progress,
    bytes: (done, total, what) => progress(what, done, total, () => rate(done, total)),
    error(error) {
      bar.stop();
      if (stopCode !== undefined) return stopCode;
      // An answer that broke off ends its line first.
      if (lineOpen) process.stdout.write("\n");
      lineOpen = false;
      const ours = described(error);
      show(ours);
      return exitCodes[ours.code];
    },
  };
}

const unwritable = (cause: NodeJS.ErrnoException): OpenFlamingoError =>
  new OpenFlamingoError(
    "disk",
    `standard output cannot be written (${cause.code}${cause.code === "ENOSPC" ? ": the disk is full" : ""})`,
    { hint: "Write the answers somewhere else.", cause },
  );

/** What is not one of our errors is a bug of ours: it is named as one, and its origin is reported. */
function described(error: unknown): OpenFlamingoError {
  if (error instanceof OpenFlamingoError) return error;
  const place = error instanceof Error ? error.stack?.split("\n")[1]?.trim() : undefined;
  const what = error instanceof Error ? error.message : String(error);
  return new OpenFlamingoError("internal", `${what}${place ? ` (${place})` : ""}`, {
    hint: "This is a bug in the program: please report it with the command that you gave.",
  });
}
