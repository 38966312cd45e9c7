/** What ONNX Runtime throws, as errors of ours. */
import { OpenFlamingoError } from "../base/errors.js";

/** An error of the library, or of memory, as one of ours. */
export function backendError(where: string, cause: unknown): OpenFlamingoError {
  if (cause instanceof OpenFlamingoError) return cause;
  const words = tidy(cause instanceof Error ? cause.message : String(cause));
  if (/failed to allocate|allocation failed|bad.?alloc/i.test(words)) {
    const hint = "Use smaller batches, fewer images, a shorter prompt or smaller weights.";
    return new OpenFlamingoError("memory", `${where}: not enough memory: ${words}`, { hint, cause });
  }
  return new OpenFlamingoError("backend", `${where}: ${words}`, {
    hint: 'Try the other backend: --backend ort.binding, or { backend: "ort.binding" }.',
    cause,
  });
}

/** The library's words without the files, lines and signatures of its own code. */
const tidy = (words: string): string =>
  words
    .replace(/\S+\.(cc|h|cpp):\d+ (.*?\)( const)?( \[with [^\]]*\])? )?(?=\S)/g, "")
    .replace(/\[ONNXRuntimeError\] : \d+ : \w+ : /g, "")
    .replace(/\s+/g, " ")
    .trim();
