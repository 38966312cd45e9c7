/**
 * The assignment problem: pairs of rows and columns, each in at most one, whose values have the largest sum.
 *
 * The Hungarian method by shortest augmenting paths: rows come in one after the other, and each is brought in along the
 * path that costs least, found as Dijkstra does it, with potentials that keep all costs at 0 or above. Time grows with
 * (shorter side)² × (longer side).
 *
 * Paper: Crouse, "On implementing 2D rectangular assignment algorithms" (IEEE TAES 52, 2016), which scipy's
 * `linear_sum_assignment` follows; of equally good columns a free one comes first, then the last one looked at, as there.
 */

/** A pair of the assignment: indices of its row and its column. */
export type Pair = readonly [row: number, column: number];

/**
 * @param values one list a row, all of the same length, finite
 * @returns as many pairs as the shorter side has, in the order of the rows
 */
export function assignLargest(values: readonly (readonly number[])[]): Pair[] {
  const [rows, columns] = [values.length, values[0]?.length ?? 0];
  if (rows <= columns) return assign(rows, columns, (r, c) => -values[r]![c]!);
  const pairs = assign(columns, rows, (r, c) => -values[c]![r]!);
  return pairs.map(([r, c]): Pair => [c, r]).sort(([a], [b]) => a - b);
}

/** For at most as many rows as columns, with the smallest sum of costs. */
function assign(rows: number, columns: number, cost: (row: number, column: number) => number): Pair[] {
  const rowPotential = new Float64Array(rows);
  const columnPotential = new Float64Array(columns);
  const columnOf = new Int32Array(rows).fill(-1);
  const rowOf = new Int32Array(columns).fill(-1);
  const shortest = new Float64Array(columns);
  const cameFrom = new Int32Array(columns);

  for (let newRow = 0; newRow < rows; newRow++) {
    shortest.fill(Number.POSITIVE_INFINITY);
    const reachedRows: number[] = [];
    const reachedColumns: number[] = [];
    const remaining = Array.from({ length: columns }, (_, i) => columns - 1 - i);
    let length = 0;
    let row = newRow;
    let end = -1;
    while (end < 0) {
      reachedRows.push(row);
      let nearest = -1;
      for (let i = 0; i < remaining.length; i++) {
        const column = remaining[i]!;
        const way = length + cost(row, column) - rowPotential[row]! - columnPotential[column]!;
        if (way < shortest[column]!) {
          shortest[column] = way;
          cameFrom[column] = row;
        }
        const best = nearest < 0 ? Number.POSITIVE_INFINITY : shortest[remaining[nearest]!]!;
        const isFree = rowOf[column] === -1;
        if (shortest[column]! < best || (shortest[column] === best && isFree)) nearest = i;
      }
      const column = remaining[nearest]!;
      length = shortest[column]!;
      if (rowOf[column] === -1) end = column;
      else row = rowOf[column]!;
      reachedColumns.push(column);
      const last = remaining.pop()!;
      if (nearest < remaining.length) remaining[nearest] = last;
    }

    rowPotential[newRow]! += length;
    for (const each of reachedRows) {
      if (each !== newRow) rowPotential[each]! += length - shortest[columnOf[each]!]!;
    }
    for (const each of reachedColumns) columnPotential[each]! -= length - shortest[each]!;

    // Along the path every row gives its column to the one before it.
    for (let column = end; ; ) {
      const giver = cameFrom[column]!;
      rowOf[column] = giver;
      const next = columnOf[giver]!;
      columnOf[giver] = column;
      if (giver === newRow) break;
      column = next;
    }
  }
  return Array.from(columnOf, (column, row): Pair => [row, column]);
}
