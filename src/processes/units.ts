/** Quantities as people write them, with a unit behind the number. */
export type Units = Readonly<Record<string, number>>;

export const BYTE_UNITS: Units = { '': 1, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30, TiB: 2 ** 40 };
export const SECOND_UNITS: Units = { ms: 0.001, s: 1, m: 60, h: 3600 };

/** @param text A number and one of the units, such as 1.5GiB: whoever calls has seen to that. */
export function quantityOf(text: string, units: Units): number {
  const [, count, unit] = /^([\d.]+)([A-Za-z]*)$/.exec(text)!;
  return Number(count) * units[unit!]!;
}
