/** `openflamingo doctor`: whether the installation works, how fast the machine is, and which models run on it. */
import type { Command } from "commander";
import { shownSize } from "../base/bytes.js";
import { type Examination, examine } from "../machine/examine.node.js";
import { formatNames } from "../machine/requireMemory.js";
import { exitCodes } from "./exitCodes.js";
import { addOptions, threadsOption } from "./options.js";
import { rowsOf } from "./table.js";
import { createTerminal } from "./terminal.js";

interface DoctorFlags {
  readonly threads?: number;
  readonly json?: true;
  readonly quiet?: true;
}

export function doctor(program: Command): void {
  const command = program
    .command("doctor")
    .summary("check the installation and the machine")
    .description(
      "Checks the installation, measures how fast the machine is, and says which released models run on it.",
    );
  addOptions(command, [threadsOption()])
    .option("--json", "one JSON object")
    .option("--quiet", "no progress")
    .addHelpText(
      "after",
      `
It takes some seconds, and a gibibyte of memory where there is as much. The exit code is 0 where all is right, or that
of the first thing that is wrong.

Examples:
  openflamingo doctor
  openflamingo doctor --json`,
    )
    .action(async ({ threads, json, quiet }: DoctorFlags) => {
      const terminal = createTerminal({ json: json ?? false, quiet: quiet ?? false });
      try {
        const { signal } = terminal;
        const onStep = (what: string) => terminal.notice(`measuring ${what}`);
        const found = await examine({ threads, signal, onStep });
        terminal.line(json ? JSON.stringify(jsonOf(found)) : shown(found));
        const wrong = found.installation.find(({ error }) => error)?.error;
        process.exitCode = terminal.stopped() ?? (wrong ? exitCodes[wrong.code] : 0);
      } catch (error) {
        process.exitCode = terminal.error(error);
      }
    });
}

const jsonOf = ({ installation, ...found }: Examination) => ({
  installation: installation.map(({ what, found, error }) => ({
    what,
    ...(error ? { error: { code: error.code, message: error.message, hint: error.hint } } : { found }),
  })),
  ...found,
});

function shown({ installation, processor, memory, adapters, speed, models, hub }: Examination): string {
  const { name, cores, instructionSets } = processor;
  const rate = (value: number, unit: string) => `${value.toFixed(value < 100 ? 1 : 0)} ${unit}`;
  const sections = [
    installation.flatMap(({ what, found, error }) =>
      error
        ? [
            [what, `WRONG: ${error.message}`],
            ["", error.hint],
          ]
        : [[what, found ?? ""]],
    ),
    [
      ["processor", `${name}, ${cores} ${cores === 1 ? "core" : "cores"}`],
      ["instructions", instructionSets?.join(", ") || "not known"],
      ["memory", `${shownSize(memory.free)} free of ${shownSize(memory.total)}`],
      ...(memory.limitedBy === undefined ? [] : [["", `limited by the control group ${memory.limitedBy}`]]),
      ["graphics", adapters.length === 0 ? "none seen" : `${adapters.join(", ")} (not used)`],
    ],
    speed
      ? [
          [
            "reading",
            `${rate(speed.bandwidth, "GB/s")} of float32, ${rate(speed.int4Bandwidth, "GB/s")} of int4`,
          ],
          [
            "multiplying",
            `${rate(speed.float32, "GFLOP/s")} float32, ${rate(speed.int8, "")}int8, ${rate(speed.int4, "")}int4`,
          ],
        ]
      : [],
    hub
      ? [
          ["hub's cache", hub.cache],
          ...hub.repositories.map(({ name, bytes, isUnfinished }) => [
            "",
            `${name}, ${shownSize(bytes)}${isUnfinished ? " (not whole)" : ""}`,
          ]),
          ...hub.prepared.map(({ name, format, isUnfinished }) => [
            "",
            `${name}, prepared as ${format}${isUnfinished ? " (not whole)" : ""}`,
          ]),
        ]
      : [],
  ];
  const table = models.map(({ names, format, memory, isFitting, tokensPerSecond }) => [
    names[0]!.replace("openflamingo/OpenFlamingo-", ""),
    formatNames[format],
    shownSize(memory),
    isFitting ? "fits" : "too large",
    `${rate(tokensPerSecond, "tokens/s")} at most`,
  ]);
  return [...sections.map(rowsOf), rowsOf(table)].filter((text) => text !== "").join("\n\n");
}
