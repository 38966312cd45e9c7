/**
 * Called while long work goes on.
 *
 * @param done bytes that are done
 * @param total bytes in all
 * @param what the work: `fetching NAME`, `preparing`, `checking`, `loading`, `opening`
 */
export type Progress = (done: number, total: number, what: string) => void;
