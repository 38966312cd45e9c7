/** "Did you mean …?": the known name that a misspelt one is closest to. */

/**
 * @returns the known name that differs in case and underscores alone (`max_new_tokens` for `maxNewTokens`), or else the
 *   closest one that is at most a third of its letters away; undefined where nothing is close
 */
export function nearest(name: string, known: readonly string[]): string | undefined {
  const plain = (text: string) => text.replace(/[_-]/g, "").toLowerCase();
  const same = known.find((each) => plain(each) === plain(name));
  if (same !== undefined || name.length > 100) return same;
  const distances = known.map((each) => ({ each, distance: editDistance(plain(name), plain(each)) }));
  const [closest] = distances.sort((a, b) => a.distance - b.distance);
  return closest && closest.distance <= name.length / 3 ? closest.each : undefined;
}

/** How many letters must be put in, left out or changed to make b of a (Levenshtein). */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const changed = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(changed, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[b.length]!;
}
