/** Sizes of memory and of disks as messages show them. */

/** `36.2 GB`; below a tenth of it `42 MB`. */
export const shownSize = (bytes: number): string =>
  bytes < 1e8 ? `${Math.ceil(bytes / 1e6)} MB` : `${(bytes / 1e9).toFixed(1)} GB`;
