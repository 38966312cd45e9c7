/** What prepare finds before it writes: a disk that is too small, and a kernel that computes nonsense. */
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { prepare } from "../../src/api/prepare.node.js";
import { partsOf } from "../../src/graph/index.js";
import type { WeightUse } from "../../src/onnx/compile.js";
import { productError } from "../../src/prepare/checkProducts.js";
import type { HostTensor } from "../../src/runtime/hostTensor.js";
import { openOrtFfi } from "../../src/runtime/ortFfi.node.js";
import type { Program, Session } from "../../src/runtime/runtime.js";
import { quantizeMatrix } from "../../src/weights/quantize.js";
import { randomModelFolder } from "../goldens.js";
import { noise } from "../graph/arrays.js";

vi.mock("node:fs/promises", async (original) => ({
  ...(await original<typeof import("node:fs/promises")>()),
  statfs: async () => ({ bavail: 10, bsize: 4096 }),
}));

test("a disk that is too small is reported before anything is read", async () => {
  const folder = mkdtempSync(join(tmpdir(), "prepare-"));
  try {
    await expect(prepare(randomModelFolder, join(folder, "int4"))).rejects.toMatchObject({
      code: "disk",
      message: expect.stringMatching(/needs [1-9]\d* MB, and 1 MB are free$/),
    });
    expect(existsSync(join(folder, "int4.unfinished/weights.bin"))).toBe(false);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test.each([
  ["as one", {}],
  ["as three side by side", { columns: 64 }],
])(
  "a product that is off by more than rounding explains is an error, whatever made it so: %s",
  async (_, spans) => {
    const [n, k, format] = [32, 160, { bits: 4, block: 32, ...spans } as const] as const;
    const matrix = Float32Array.from(noise([n, k], 1).data);
    const made: [WeightUse, HostTensor][] = [];
    for (const { span, ...parts } of partsOf("w", [n, k], format)) {
      const blocks = await quantizeMatrix(matrix, [n, k], format, { span });
      for (const part of ["values", "scales"] as const) {
        const use = { ...parts[part], tensor: "w", from: [n, k] };
        made.push([use, { ...use, data: blocks[part] } as HostTensor]);
      }
    }
    const read = (numbers: Float32Array) => ({ tensor: "w", values: numbers, made });
    await using runtime = await openOrtFfi();
    const inexact = (factor: number) => ({
      load: async (program: Program) => {
        const session = await runtime.load(program);
        const run: Session["run"] = async (feeds) => {
          const { y } = await session.run(feeds);
          return { y: { ...y!, data: (y!.data as Float32Array).map((each) => factor * each) } };
        };
        return { run, close: () => session.close() } as Session;
      },
    });
    expect(await productError(inexact(1.005), read(matrix))).toBeLessThan(0.12);
    await expect(productError(inexact(1.03), read(matrix))).rejects.toMatchObject({
      code: "backend",
      message: expect.stringMatching(
        /a product with w in 4 bits is off by 0\.03\d* of its size beside that of its parts/,
      ),
    });
    expect(await productError(runtime, read(matrix))).toBeLessThan(0.12);
    await expect(productError(runtime, read(matrix.map((x) => -x)))).rejects.toMatchObject({
      code: "backend",
      message: expect.stringContaining("a product with w in 4 bits is off by 2.0 of its size"),
    });
  },
);
