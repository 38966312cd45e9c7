/**
 * Prints `docs/training-options.md` from the table of options; a test holds the page against it.
 *
 *     npx tsx scripts/trainingOptions.ts > docs/training-options.md
 */
import { pathToFileURL } from "node:url";
import { allowedValues, flagOf, type TrainingOption } from "../src/train/options/kinds.js";
import { flagsWithoutOption, optionGroups } from "../src/train/options/table.js";

const shown = (value: unknown): string =>
  value === undefined || (Array.isArray(value) && value.length === 0) ? "" : `\`${String(value)}\``;

const shownDefaults = ({ default: usual, ownDefault }: TrainingOption): string =>
  ownDefault === undefined ? shown(usual) : `${shown(usual)}; with \`images\` ${shown(ownDefault)}`;

function rowOf([name, option]: readonly [string, TrainingOption]): string {
  const { reference, mayChange = false, help } = option;
  const flag = reference === undefined ? "" : `\`${reference}\``;
  const cells = [`\`${name}\``, `\`${flagOf(name)}\``, allowedValues(option), shownDefaults(option), flag];
  return `| ${[...cells, mayChange ? "yes" : "", help].map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
}

export function trainingOptionsPage(): string {
  const heading =
    "| option | flag | value | default | OpenFlamingo's flag | may change | |\n|---|---|---|---|---|---|---|";
  const sections = optionGroups.map((group) => {
    const rows = Object.entries<TrainingOption>(group.options).map(rowOf);
    return `## ${group.heading}\n\n${heading}\n${rows.join("\n")}\n`;
  });
  const others = Object.entries(flagsWithoutOption).map(([flag, why]) => `| \`${flag}\` | ${why} |`);
  return `# Options of the training

Printed from the table in \`src/train/options\` by \`npx tsx scripts/trainingOptions.ts\`. A settings file has a line \`name: value\` for each option, in YAML or JSON; a flag of the command line counts more. Relative paths in a file are relative to its folder. Every fault is reported at once, with its line. "May change": a run may be resumed with another value. Some defaults are others where training is on a folder of one's own images (\`images\`).

\`\`\`yaml
# train.yaml: the published recipe
laionShards: laion/{00000..41455}.tar
mmc4Shards: mmc4/{00000..23098}.tar
batchSizeLaion: 64
batchSizeMmc4: 32
trainNumSamplesLaion: 250000
trainNumSamplesMmc4: 125000
lossMultiplierLaion: 0.2
numEpochs: 480
warmupSteps: 1875
datasetResampled: true
precision: amp_bf16
asPublished: true
\`\`\`

${sections.join("\n")}
## Flags of OpenFlamingo without an option

| flag | |
|---|---|
${others.join("\n")}
`;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href)
  process.stdout.write(trainingOptionsPage());
