/** Eigenvalues of symmetric matrices of a few hundred rows. */

/**
 * Eigenvalues, and eigenvectors as rows, of a symmetric matrix (k, k), which is overwritten: Jacobi's rotations, sweep
 * after sweep until nothing is left beside the diagonal.
 */
export function eigen(a: Float64Array, k: number): { values: Float64Array; vectors: Float64Array } {
  const vectors = new Float64Array(k * k);
  for (let i = 0; i < k; i++) vectors[i * k + i] = 1;
  const mostSweeps = 30;
  for (let sweep = 0; sweep < mostSweeps; sweep++) {
    let [off, all] = [0, 0];
    for (let i = 0; i < k; i++) {
      for (let j = 0; j < k; j++) {
        all += a[i * k + j]! ** 2;
        if (i !== j) off += a[i * k + j]! ** 2;
      }
    }
    if (off <= 1e-18 * all) break;
    for (let p = 0; p < k; p++) for (let q = p + 1; q < k; q++) rotate(a, vectors, k, p, q);
  }
  return { values: Float64Array.from({ length: k }, (_, i) => a[i * k + i]!), vectors };
}

/** Turns axes p and q so that nothing is left between them. */
function rotate(a: Float64Array, vectors: Float64Array, k: number, p: number, q: number): void {
  const between = a[p * k + q]!;
  if (between === 0) return;
  const theta = (a[q * k + q]! - a[p * k + p]!) / (2 * between);
  const t = (theta >= 0 ? 1 : -1) / (Math.abs(theta) + Math.sqrt(theta * theta + 1));
  const c = 1 / Math.sqrt(t * t + 1);
  const s = t * c;
  const turn = (m: Float64Array, first: number, second: number) => {
    const [x, y] = [m[first]!, m[second]!];
    m[first] = c * x - s * y;
    m[second] = s * x + c * y;
  };
  for (let i = 0; i < k; i++) turn(a, i * k + p, i * k + q);
  for (let i = 0; i < k; i++) turn(a, p * k + i, q * k + i);
  for (let i = 0; i < k; i++) turn(vectors, p * k + i, q * k + i);
}
