/** Runs the zod schemas of the routes and turns what they find into field errors. */
import { Readable } from 'node:stream';
import type { FastifySchemaCompiler } from 'fastify';
import { type $ZodIssue, type $ZodType, type output, safeParse } from 'zod/v4/core';
import { type FieldError, ProblemError } from './problem.ts';

/** So many field errors are enough to mend a request, and bound the answer. */
const FIELD_ERRORS_MAX = 20;
const PATH_STEP_LENGTH_MAX = 128;

/**
 * Fastify's validator compiler. Headers are not validated by schema: theirs are in the document only. A path parameter
 * that cannot be an id names nothing, so it is a 404.
 */
export const validatorCompiler: FastifySchemaCompiler<$ZodType> = ({ schema, httpPart }) => {
  if (httpPart === 'headers') return () => true;
  return (data) => {
    // Lines are looked at one by one, as they come.
    if (httpPart === 'body' && data instanceof Readable) return { value: data };
    // A schema that lets unknown parameters through would not see this one.
    if (httpPart === 'querystring' && Object.hasOwn(data, '__proto__')) {
      return {
        error: validationProblem(
          [{ code: 'unrecognized_keys', keys: ['__proto__'], path: [], message: '' }],
          'parameter',
        ),
      };
    }
    const result = safeParse(schema, data);
    if (result.success) return { value: result.data };
    if (httpPart === 'params') return { error: new ProblemError('not_found', 'There is nothing with this id.') };
    return { error: validationProblem(result.error.issues, httpPart === 'querystring' ? 'parameter' : 'pointer') };
  };
};

/** What a schema makes of a value. Throws a {@link ProblemError} that names the fields to blame. */
export function parsed<T extends $ZodType>(schema: T, value: unknown): output<T> {
  const result = safeParse(schema, value);
  if (result.success) return result.data;
  throw validationProblem(result.error.issues, 'pointer');
}

function validationProblem(issues: readonly $ZodIssue[], where: 'pointer' | 'parameter'): ProblemError {
  const faults = issues.flatMap(faultsOf).slice(0, FIELD_ERRORS_MAX);
  const errors = faults.map(({ path, detail }): FieldError => {
    return where === 'pointer' ? { pointer: jsonPointer(path), detail } : { parameter: path.join('.'), detail };
  });
  const first = faults[0];
  const detail = first === undefined ? 'The request is invalid.' : `${first.path.join('.') || where}: ${first.detail}.`;
  return new ProblemError('validation_failed', detail, { errors });
}

interface Fault {
  readonly path: readonly string[];
  readonly detail: string;
}

function faultsOf(issue: $ZodIssue): Fault[] {
  const path = issue.path.map(shortened);
  if (issue.code !== 'unrecognized_keys') return [{ path, detail: sentence(issue) }];
  const keys = issue.keys.slice(0, FIELD_ERRORS_MAX).map(shortened);
  return keys.map((key) => ({ path: [...path, key], detail: 'is not a known field' }));
}

/** Keys come from the client: an answer must not grow with them. */
function shortened(step: PropertyKey): string {
  const text = String(step);
  return text.length > PATH_STEP_LENGTH_MAX ? `${text.slice(0, PATH_STEP_LENGTH_MAX)}…` : text;
}

/** RFC 6901; the empty pointer is the whole body. */
function jsonPointer(path: readonly string[]): string {
  return path.map((step) => `/${step.replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
}

function sentence(issue: $ZodIssue): string {
  if (issue.code === 'invalid_type') return `must be ${article(issue.expected)}`;
  if (issue.code === 'invalid_key') return issue.issues[0]?.message ?? issue.message;
  return issue.message;
}

function article(type: string): string {
  return `${/^[aeio]/.test(type) ? 'an' : 'a'} ${type === 'record' ? 'object' : type}`;
}
