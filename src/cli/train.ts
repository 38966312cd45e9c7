/** `openflamingo train`: trains the connectors of a model. */
import { type Command, Option } from "commander";
import type { JsonObject } from "../base/json.js";
import { flagOf, type TrainingOption } from "../train/options/kinds.js";
import { readTrainingOptions } from "../train/options/readOptions.js";
import { readSettings } from "../train/options/settingsFile.node.js";
import { optionGroups } from "../train/options/table.js";
import { planTraining } from "../train/planTraining.node.js";
import type { StepReport } from "../train/steps.js";
import { createTrainer } from "../train/trainer.node.js";
import { createTerminal, type Terminal } from "./terminal.js";
import { planTable } from "./trainingPlan.js";

interface TrainFlags extends Readonly<Record<string, unknown>> {
  readonly settings?: string;
  readonly plan?: true;
  readonly json?: true;
  readonly quiet?: true;
}

/** Also those of the settings file; what they mean stands in docs/training-options.md. */
const options = optionGroups.flatMap(({ options }) => Object.entries<TrainingOption>(options));

export function train(program: Command): void {
  const command = program
    .command("train")
    .summary("train the connectors of a model")
    .description(
      "Trains the connectors of a model (resampler, gated cross-attention, two embeddings) over its frozen towers.",
    )
    .option("--settings <file>", "options from a YAML or JSON file; those of the command line count more");
  for (const [name, option] of options) command.addOption(commandOption(name, option));
  command
    .option("--plan", "print what the run needs, from a few of its steps, and make no folder")
    .option("--json", "one JSON object a step; with --plan one in all")
    .option("--quiet", "no progress and no notices")
    .addHelpText(
      "after",
      `
The run's folder is a model's folder from the first checkpoint on. A run that was ended, or killed, goes on from its
newest checkpoint when the same command is given again. docs/training-options.md says what is in a settings file.
With --json: {"step", "loss": {"laion", "mmc4"}, "gradientNorm", "learningRate", "seconds", "samples", "tokens",
"waitingShare", "skipped", "validationLoss", "checkpoint", "captions"} for each step; with --plan {"trained", "batches",
"memory", "seconds", "steps", "hours", "checkpoint", "disk"}, sizes in bytes.

Examples:
  openflamingo train --images photos --captions captions.csv --run my-run
  openflamingo train --images photos --captions captions.csv --plan
  openflamingo caption --model my-run photo.jpg
  openflamingo train --settings train.yaml --run runs/3b --precision amp_bf16`,
    )
    .action(async ({ settings, plan, json, quiet, ...flags }: TrainFlags) => {
      const terminal = createTerminal({ json: json ?? false, quiet: quiet ?? false });
      const { signal } = terminal;
      try {
        const given = flags as JsonObject;
        const read =
          settings === undefined ? readTrainingOptions(given) : await readSettings(settings, given, signal);
        const onProgress = (done: number, total: number, what: string) =>
          what === "packing" || what === "measuring"
            ? terminal.progress(what, done, total)
            : terminal.bytes(done, total, what);
        const how = { signal, onNotice: terminal.notice, onProgress };
        if (plan) {
          const planned = await planTraining(read, how);
          terminal.line(json ? JSON.stringify(planned) : planTable(planned));
          process.exitCode = terminal.stopped() ?? 0;
          return;
        }
        const trainer = await createTrainer(read, how);
        try {
          if (trainer.stepsDone > 0) terminal.notice(`going on from step ${trainer.stepsDone}`);
          let step = trainer.stepsDone;
          try {
            for await (const report of trainer.steps()) {
              step = report.step;
              show(terminal, report, trainer.totalSteps);
            }
          } catch (error) {
            if (terminal.stopped() !== undefined) {
              terminal.notice(
                `stopped after step ${step} of ${trainer.totalSteps}: the same command goes on`,
              );
            }
            throw error;
          }
        } finally {
          await trainer.close();
        }
        if (!json) terminal.line(trainer.folder);
        process.exitCode = terminal.stopped() ?? 0;
      } catch (error) {
        process.exitCode = terminal.error(error);
      }
    });
}

/** An option of the table. Values are checked where those of a file are. */
function commandOption(name: string, { kind, help, ...option }: TrainingOption): Option {
  const flag = flagOf(name);
  const shown =
    kind === "choice" ? `${(option as { choices?: readonly string[] }).choices?.join("|")}` : kind;
  const text = `${help.replaceAll("`", "")}${defaultText(option)}`;
  if (kind === "boolean") {
    return new Option(`${flag} [true|false]`, text).preset("true").argParser(plainValue);
  }
  if (kind === "paths" || kind === "texts") return new Option(`${flag} <${shown}...>`, text);
  const made = new Option(`${flag} <${shown}>`, text);
  return kind === "integer" || kind === "number" || kind === "choice" ? made.argParser(plainValue) : made;
}

function defaultText({ default: value, ownDefault }: Pick<TrainingOption, "default" | "ownDefault">): string {
  if (value === undefined || Array.isArray(value)) return "";
  return ` (default: ${String(value)}${ownDefault === undefined ? "" : `; with images ${String(ownDefault)}`})`;
}

/** A number or a boolean where the text is one: what is neither is reported as it was given. */
function plainValue(text: string): unknown {
  if (text === "true" || text === "false") return text === "true";
  const value = Number(text);
  return text.trim() !== "" && Number.isFinite(value) ? value : text;
}

function show(terminal: Terminal, report: StepReport, total: number): void {
  if (terminal.json) {
    terminal.line(JSON.stringify(report));
    return;
  }
  const { step, loss, samples, tokens, seconds, validationLoss, captions } = report;
  const losses = Object.entries(loss).map(([kind, value]) => `${kind} ${value.toFixed(4)}`);
  const rates = `${(samples / seconds).toFixed(1)} samples/s, ${Math.round(tokens / seconds)} tokens/s`;
  terminal.progress("training", step, total, () => ` loss ${losses.join(", ")}  ${rates}`);
  if (validationLoss !== undefined)
    terminal.notice(`step ${step}: validation loss ${validationLoss.toFixed(4)}`);
  for (const caption of captions ?? []) terminal.notice(`step ${step}: ${caption}`);
}
