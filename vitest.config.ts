import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    globalSetup: ["test/duration.ts", "test/parity.ts", "test/messages.ts"],
    setupFiles: ["test/messages.setup.ts"],
    // Tests call native code: a process each, with the garbage collector at hand for the memory tests.
    pool: "forks",
    // Vitest would leave a core to itself; of two, that is half of the time.
    maxWorkers: availableParallelism(),
    execArgv: ["--expose-gc", "--disable-warning=OpenFlamingoNotice"],
    testTimeout: 180_000,
  },
});
