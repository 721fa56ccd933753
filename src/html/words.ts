/** Numbers and times as people read them. */

/** `1,204` */
export function counted(count: number): string {
  return grouped(String(count));
}

/** `1 line`, `1,204 lines` */
export function plural(count: number, one: string, many = `${one}s`): string {
  return `${counted(count)} ${count === 1 ? one : many}`;
}

/** Of digits with or without a fraction: `-1,234.56` */
export function grouped(digits: string): string {
  const [whole = '', ...fraction] = digits.split('.');
  return [whole.replace(/\B(?=(\d{3})+$)/g, ','), ...fraction].join('.');
}

/** `99.5 %`; never 100 % where something is missing, nor 0 % where something is there. */
export function percentText(part: number, of: number): string {
  if (of === 0) return '–';
  if (part > 0 && part < of)
    return `${Math.min(99.9, Math.max(0.1, Math.round((part / of) * 1_000) / 10)).toFixed(1)} %`;
  return part === 0 ? '0 %' : '100 %';
}

/** `2026-11-28 13:30 UTC` */
export function timeText(time: Date): string {
  return `${time.toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}
