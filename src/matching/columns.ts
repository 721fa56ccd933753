type Column = Float64Array | Int32Array | Uint32Array | Uint16Array | Uint8Array | Int8Array;

/** A column with room for an index: itself, or a copy with twice the room. */
export function roomFor<T extends Column>(column: T, index: number): T {
  if (index < column.length) return column;
  const longer = new (column.constructor as new (length: number) => T)(Math.max(index + 1, 2 * column.length));
  longer.set(column as never);
  return longer;
}
