/** One known result, asked of a backend when it is opened: its library may load and still compute nonsense. */
import { OpenFlamingoError } from "../base/errors.js";
import type { Program, Runtime } from "./runtime.js";

/** y = x · w, the smallest ONNX model with a named size and a weight outside of it (test/runtime has it in words). */
const bytes =
  "CAo6igEKEwoBeAoBdxIBeSIGTWF0TXVsOgASCXNlbGYtdGVzdCo8CAIIAhABQgF3ahQKCGxvY2F0aW9uEgh3ZWlnaHQud2oLCgZvZmZzZ" +
  "XQSATBqDAoGbGVuZ3RoEgIxNnABWhQKAXgSDwoNCAESCQoDEgFuCgIIAmIUCgF5Eg8KDQgBEgkKAxIBbgoCCAJCBAoAEBVCEQoNY29tLm" +
  "1pY3Jvc29mdBAB";

export const selfTestProgram: Program = {
  name: "self-test",
  bytes: Uint8Array.from(atob(bytes), (character) => character.charCodeAt(0)),
  inputs: [{ name: "x", dtype: "float32", shape: ["n", 2] }],
  outputs: [{ name: "y", dtype: "float32", shape: ["n", 2] }],
  weights: new Map([["w", { dtype: "float32", shape: [2, 2], data: Float32Array.of(2, 3, 5, 7) }]]),
};

/**
 * Lets the backend compute small whole numbers, which are exact in every order of adding.
 *
 * @throws OpenFlamingoError "backend" when they come out wrong, and what the backend throws
 */
export async function selfTest(runtime: Runtime): Promise<void> {
  const session = await runtime.load(selfTestProgram, { threads: 1 });
  try {
    const x = { dtype: "float32", shape: [2, 2], data: Float32Array.of(1, 10, -1, 0) } as const;
    const { y } = await session.run({ x });
    const expected = "52,73,-2,-3";
    if (y?.data.join() !== expected) {
      throw new OpenFlamingoError(
        "backend",
        `${runtime.name} ${runtime.version} computes wrongly: a known product is ${y?.data.join()}, not ${expected}`,
        { hint: "Choose another backend with --backend, and report this with your processor's name." },
      );
    }
  } finally {
    await session.close();
  }
}
