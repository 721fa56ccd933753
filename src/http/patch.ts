import type { z } from 'zod';
import { metadata } from '../payments/schema.ts';
import { ProblemError } from './problem.ts';
import type { patchAccountBody } from './schemas/requests.ts';

/** The metadata of an account once it is patched. Throws a {@link ProblemError} when there is too much of it then. */
export function patchedMetadata(
  before: Readonly<Record<string, string>>,
  patch: z.output<typeof patchAccountBody>,
): Record<string, string> {
  const merged = Object.entries({ ...before, ...patch.metadata }).filter(([, value]) => value !== null);
  const { data, error } = metadata.safeParse(Object.fromEntries(merged));
  if (data) return data;
  const detail = error.issues[0]?.message ?? 'is not valid';
  throw new ProblemError('validation_failed', `metadata: ${detail}.`, { errors: [{ pointer: '/metadata', detail }] });
}
