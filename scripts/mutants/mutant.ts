/** A change to the source that some test must notice. */
export interface Mutant {
  /** What the change does, in a few words; also what a pattern on the command line is compared with. */
  readonly what: string;
  /** The changed file, inside `src/`. */
  readonly file: string;
  /** Text of the file, which it holds exactly once. */
  readonly from: string;
  readonly to: string;
  /** The files, inside `test/`, of which one must fail. */
  readonly tests: readonly string[];
  /** Why no test fails, where that is known and accepted. */
  readonly survives?: string;
}
