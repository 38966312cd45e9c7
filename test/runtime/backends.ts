/** The backends, for tests that every one of them must pass. */
import { openOrtBinding } from "../../src/runtime/ortBinding.node.js";
import { openOrtFfi } from "../../src/runtime/ortFfi.node.js";
import type { Runtime } from "../../src/runtime/runtime.js";

export const backends: readonly { readonly name: string; readonly open: () => Promise<Runtime> }[] = [
  { name: "ort.ffi", open: () => openOrtFfi() },
  { name: "ort.binding", open: openOrtBinding },
];
