/** Vitest's global setup: says before a run of all tests how long it takes. */
export function setup(): void {
  if (process.argv.slice(2).join(" ") === "run")
    console.log("all tests: between 4 and 5 minutes on two cores");
}
