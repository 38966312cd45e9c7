/** The backends, for tests that every one of them must pass. */
import type { BackendName } from "../../src/api/loadOptions.js";
import { openOrtBinding } from "../../src/runtime/ortBinding.node.js";
import { openOrtFfi } from "../../src/runtime/ortFfi.node.js";
import type { Runtime } from "../../src/runtime/runtime.js";

export const backends: readonly { readonly name: BackendName; readonly open: () => Promise<Runtime> }[] = [
  { name: "ort.ffi", open: () => openOrtFfi() },
  { name: "ort.binding", open: openOrtBinding },
];
