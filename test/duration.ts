/** Vitest's global setup: says before a run of all tests how long it takes. */
export function setup(): void {
  if (process.argv.slice(2).join(" ") === "run") console.log("all tests: 3 to 5 minutes on two cores");
}
