/** `openflamingo bench`: how fast a model is on this machine, beside what the machine can do. */
import type { Command } from "commander";
import { openNamed } from "../api/load.node.js";
import { shownSize } from "../base/bytes.js";
import { withClosing } from "../base/dispose.js";
import { type Benchmark, benchmark } from "../machine/benchmark.js";
import { type Forecast, forecastMemory } from "../machine/forecast.js";
import { readMemory } from "../machine/memory.node.js";
import { fasterOf, measureSpeed, type Speed } from "../machine/speed.js";
import { openRuntime } from "../runtime/openRuntime.node.js";
import { isInFile } from "../runtime/runtime.js";
import { loadOptionsOf } from "./command.js";
import { addOptions, type ModelFlags, modelOptions } from "./options.js";
import { rowsOf } from "./table.js";
import { createTerminal, type Terminal } from "./terminal.js";

/** All that is measured of a model. */
export interface Figures extends Omit<Benchmark, "memory"> {
  readonly model: string;
  readonly backend: string;
  readonly speed: Speed;
  /** Bytes: what was forecast, and the most that the process had. */
  readonly memory: { readonly forecast: Forecast; readonly peak: number };
}

export function bench(program: Command): void {
  const command = program
    .command("bench")
    .summary("measure how fast a model is")
    .description("Measures a model on this machine: an image, prompts, tokens, shots, beams and memory.");
  addOptions(command, modelOptions())
    .addHelpText(
      "after",
      `
Shares are of what the machine does in a plain product of the same format, measured before and after. Leave the machine
alone meanwhile.

Examples:
  openflamingo bench
  openflamingo bench --model my-model-int4 --json`,
    )
    .action(async (flags: ModelFlags) => {
      const terminal = createTerminal({ json: flags.json ?? false, quiet: flags.quiet ?? false });
      try {
        const figures = await measure(flags, terminal);
        terminal.line(terminal.json ? JSON.stringify(figures) : benchTable(figures));
        process.exitCode = terminal.stopped() ?? 0;
      } catch (error) {
        process.exitCode = terminal.error(error);
      }
    });
}

async function measure(flags: ModelFlags, terminal: Terminal): Promise<Figures> {
  const { threads } = flags;
  const { signal } = terminal;
  const options = loadOptionsOf(flags, terminal);
  const onStep = (what: string) => terminal.notice(`measuring ${what}`);
  const measureMachine = () =>
    withClosing(async (closing) => {
      const runtime = closing(await openRuntime(options.backend));
      return measureSpeed(runtime, { free: readMemory().free, threads, signal, onStep });
    });
  const before = await measureMachine();
  const parts = await openNamed(flags.model, options);
  try {
    const { runner, tokenizer, name: model, backend } = parts;
    const imageToken = tokenizer.special.image;
    let speed = before;
    const atBest = async () => {
      speed = fasterOf(before, await measureMachine());
      return speed;
    };
    const resident = process.memoryUsage.rss;
    const { memory: peak, ...figures } = await benchmark(runner, {
      ...{ imageToken, speed: atBest, resident, signal, onStep },
    });
    const weightsIn = [...runner.weights.values()].some(isInFile) ? "files" : "memory";
    const isCopying = runner.runtime.name === "ort.binding";
    const forecast = forecastMemory(runner.config, runner.weightUses, {
      ...{ weightsIn, isCopying, cacheFormat: runner.cacheFormat },
    });
    return { model, backend, speed, ...figures, memory: { forecast, peak } };
  } finally {
    await parts.close();
  }
}

export function benchTable({
  model,
  backend,
  image,
  prompts,
  token,
  shots,
  beams,
  memory,
  speed,
}: Figures): string {
  const ms = (value: number) => `${value.toFixed(value < 10 ? 2 : 0)} ms`;
  const each = (value: number) => `${value.toFixed(value < 100 ? 1 : 0)} tokens/s`;
  const rated = ({ rate, share }: { rate: number; share: number }, unit: string) =>
    `${rate.toFixed(rate < 100 ? 1 : 0)} ${unit}, ${Math.round(100 * share)}% of the machine's`;
  const { bandwidth, int4Bandwidth, float32, int8, int4 } = speed;
  const rows = [
    ["image", ms(image.milliseconds), "", rated(image, "GFLOP/s")],
    ...prompts.map((prompt) => [
      `prompt of ${prompt.tokens}`,
      ms(prompt.milliseconds),
      each(prompt.tokensPerSecond),
      rated(prompt, "GFLOP/s"),
    ]),
    ["token", ms(token.milliseconds), each(token.tokensPerSecond), rated(token, "GB/s")],
    [
      `${shots.shots} shots`,
      ms(shots.milliseconds),
      "",
      `${shots.shots + 1} images, ${shots.promptTokens} tokens of prompt, ${shots.newTokens} of answer`,
    ],
    [
      `${beams.beams} beams`,
      ms(beams.milliseconds),
      "",
      `a step; ${beams.ratio.toFixed(2)} times a greedy one`,
    ],
    [
      "memory",
      shownSize(memory.peak),
      "",
      `at most; forecast for a prompt of 512: ${shownSize(memory.forecast.total)}`,
    ],
  ];
  const machine = [
    `${bandwidth.toFixed(1)} GB/s of float32, ${int4Bandwidth.toFixed(1)} of int4`,
    `${float32.toFixed(0)} GFLOP/s float32, ${int8.toFixed(0)} int8, ${int4.toFixed(0)} int4`,
  ];
  return `${model} on ${backend}\n\n${rowsOf(rows)}\n\nthe machine: ${machine.join("; ")}`;
}
