/**
 * Positions as sines and cosines of falling frequencies.
 *
 * Paper: "Attention Is All You Need" (arXiv:1706.03762), Section 3.5; for images as in "Better plain ViT baselines for
 * ImageNet-1k" (arXiv:2205.01580).
 */

/** (positions, d): row i is sin(i·f) for d/2 frequencies f from 1 down to 1/10000, then cos(i·f). */
export function sinusoids([positions, d]: readonly number[]): Float32Array {
  const values = new Float32Array(positions! * d!);
  for (let i = 0; i < positions!; i++) values.set(waves(i, d!), i * d!);
  return values;
}

/** (1 + side², d): zeros for the class token; then the patches row by row, half of d for the row, half for the column. */
export function sinusoids2d([tokens, d]: readonly number[]): Float32Array {
  const side = Math.round(Math.sqrt(tokens! - 1));
  const values = new Float32Array(tokens! * d!);
  const half = Math.floor(d! / 2);
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      const start = (1 + y * side + x) * d!;
      values.set(waves(y, half), start);
      values.set(waves(x, d! - half), start + half);
    }
  }
  return values;
}

function waves(position: number, d: number): Float32Array {
  const values = new Float32Array(d);
  const half = Math.ceil(d / 2);
  for (let i = 0; i < d; i++) {
    const angle = position * 10_000 ** -((i % half) / Math.max(1, half - 1));
    values[i] = i < half ? Math.sin(angle) : Math.cos(angle);
  }
  return values;
}
