/** Which tokens are learnt, compared with the reference implementation's labels. */
import { expect, test } from "vitest";
import { IGNORED, labelsOf } from "../../src/data/labels.js";
import { compared } from "../parity.js";
import { describeWithData, readData } from "./goldenData.js";

interface Row {
  readonly kind: "laion" | "mmc4";
  readonly ids: number[];
  readonly kept_positions: number[];
}

describeWithData("labels.json", () => {
  test("the same tokens are learnt", () => {
    const { rows, special_ids: ids } = readData<{ rows: Row[]; special_ids: Record<string, number> }>(
      "labels.json",
    );
    const special = { image: ids["<image>"]!, endOfChunk: ids["<|endofchunk|>"]! };
    for (const row of rows) {
      const labels = labelsOf(row.ids, row.kind === "laion" ? "captions" : "documents", special);
      expect(Array.from(labels)).toEqual(
        row.ids.map((id, i) => (row.kept_positions.includes(i) ? id : IGNORED)),
      );
    }
    const values = rows.reduce((sum, { ids }) => sum + ids.length, 0);
    compared("training data/labels", { cases: rows.length, values });
    expect(rows.length).toBeGreaterThan(15);
  });
});
