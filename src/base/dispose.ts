/**
 * Closing what was opened, in every context that code may run in. Those of Node's `vm` module, which test runners use,
 * have no `Symbol.asyncDispose` on Node 20 and 22; there `await using` fails, also as TypeScript compiles it. So the
 * package offers the symbols where they exist, and does not rely on them.
 */

/** `Symbol.asyncDispose`, or a symbol that nobody else has. */
export const asyncDispose: typeof Symbol.asyncDispose = Symbol.asyncDispose ?? Symbol();

/** `Symbol.dispose`, or a symbol that nobody else has. */
export const dispose: typeof Symbol.dispose = Symbol.dispose ?? Symbol();

interface Closeable {
  close(): Promise<void>;
}

/**
 * Does some work and closes, whatever comes of it, all that the work has handed to `closing`, the latest first.
 *
 * @example
 * const names = await withClosing(async (closing) => {
 *   const checkpoint = closing(await openCheckpoint("model.safetensors"));
 *   return [...checkpoint.tensors.keys()];
 * });
 */
export async function withClosing<Result>(
  work: (closing: <Resource extends Closeable>(resource: Resource) => Resource) => Promise<Result>,
): Promise<Result> {
  const opened: Closeable[] = [];
  try {
    return await work((resource) => {
      opened.push(resource);
      return resource;
    });
  } finally {
    await closeAll(opened);
  }
}

/** One that does not close does not keep the others from it. @throws what the last of those threw */
async function closeAll(opened: Closeable[]): Promise<void> {
  const latest = opened.pop();
  if (latest === undefined) return;
  try {
    await latest.close();
  } finally {
    await closeAll(opened);
  }
}
