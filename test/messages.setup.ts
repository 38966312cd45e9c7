/**
 * Notes every error that `src/` makes while the tests run, with the lines through which it came: `messages.ts` reads
 * them all in the end. `OpenFlamingoError` is loaded here, before any test, and made from an `Error` that takes notes.
 */
import { appendFileSync } from "node:fs";
import { messagesVariable } from "./messages.js";

const file = process.env[messagesVariable];
if (file) {
  const original = Error;
  globalThis.Error = new Proxy(original, {
    construct(target, args, made) {
      const error = Reflect.construct(target, args, made) as Error & { code?: unknown; hint?: unknown };
      // Code and hint are set after this.
      queueMicrotask(() => {
        const { code, message, hint, stack } = error;
        const frames = (stack ?? "").split("\n").filter((line) => /^\s+at /.test(line));
        const place = (frame: string) => /(?<=\/)(?:src|test)\/[\w./]+\.ts:\d+/.exec(frame)?.[0];
        const places = frames
          .flatMap((frame) => place(frame) ?? [])
          .filter((each) => !/setup|errors\.ts/.test(each));
        if (places[0]?.startsWith("src/")) {
          appendFileSync(file, `${JSON.stringify({ code, message, hint, places })}\n`);
        }
      });
      return error;
    },
  });
  await import("../src/base/errors.js");
  globalThis.Error = original;
}
