import type { z } from 'zod';

/** What a text in a query may be written as. */
type Value<T> = string extends T ? T | number | bigint | Date : T;

/** The parameters of a route, as its schema names them: texts also as numbers and times, enumerations as they are. */
export type Parameters<Schema extends z.ZodType> = Written<z.input<Schema>>;

/** Without the names that a schema merely lets through. */
type Written<Input> = { [Name in keyof Input as string extends Name ? never : Name]: Value<Input[Name]> };

/** A path of the API and what is asked for with it. What is undefined is left out. */
export function pathOf(parts: readonly string[], query: object = {}): string {
  const asked = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value !== undefined) asked.append(name, textOf(value));
  const text = asked.toString();
  return `/v1/${parts.map(encodeURIComponent).join('/')}${text === '' ? '' : `?${text}`}`;
}

function textOf(value: unknown): string {
  return value instanceof Date ? value.toISOString() : String(value);
}
