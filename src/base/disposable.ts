/** What makes an object fit for `await using`, where the platform knows that; nothing where it does not. */
export const asyncDisposable = (close: () => Promise<void>): AsyncDisposable =>
  (Symbol.asyncDispose ? { [Symbol.asyncDispose]: close } : {}) as AsyncDisposable;
