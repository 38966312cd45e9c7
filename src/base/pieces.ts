/**
 * How kernels of vectors go through the numbers of a tensor: in pieces that stay in the processor's cache, in a memory
 * with room for a piece as float32 and, behind it, in 16 bits.
 */

/** Numbers of a piece: 512 KiB of float32. */
export const pieceLength = 2 ** 17;

/** Where a piece lies as float32, and in 16 bits; in bytes. */
export const [floatsAt, halvesAt] = [0, 4 * pieceLength] as const;

export const memoryOfPiece = { pages: (6 * pieceLength) / 2 ** 16, shared: false };

/** Numbers of the vectors that so many numbers take. */
export const inVectors = (count: number): number => 8 * Math.ceil(count / 8);
