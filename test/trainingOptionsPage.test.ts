import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { trainingOptionsPage } from "../scripts/trainingOptions.js";
import { readTrainingOptions } from "../src/train/options/readOptions.js";
import { parseSettings } from "../src/train/options/settingsFile.node.js";

const page = trainingOptionsPage();

test("docs/training-options.md is what the table says", () => {
  expect(readFileSync(new URL("../docs/training-options.md", import.meta.url), "utf8")).toBe(page);
});

test("the settings file in it is one", () => {
  const [, text] = /```yaml\n([\s\S]*?)```/.exec(page)!;
  const options = readTrainingOptions(parseSettings(text!, "train.yaml").values);
  expect(options).toMatchObject({ numEpochs: 480, flipWholeBatch: true, lossMultiplierLaion: 0.2 });
});
