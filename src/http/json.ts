/** Reads a JSON body so that nothing in it is lost or guessed. */
import { isUtf8 } from 'node:buffer';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { ProblemError } from './problem.ts';

type Parse = (request: FastifyRequest, text: string, done: (error: Error | null, value?: unknown) => void) => void;

/** Far beyond what any body here has; what nests deeper is refused before it is parsed. */
const DEPTH_MAX = 32;
const STRING = /"[^"\\]*(?:\\.[^"\\]*)*"/g;
const STRING_OR_NUMBER = /"[^"\\]*(?:\\.[^"\\]*)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;

/**
 * The one body parser of the app. Beyond what Fastify's own refuses (`__proto__`, `constructor.prototype`), it refuses
 * bytes that are not UTF-8, objects that hold a key twice and what nests too deep. A number with a fraction or an exponent is handed on as
 * its text, for the parser would round it: no field takes one, so the schema refuses it and names the field.
 */
export function acceptJsonOnly(app: FastifyInstance): void {
  const parse = app.getDefaultJsonParser('error', 'error') as unknown as Parse;
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, body: Buffer, done) => {
    if (!isUtf8(body)) return done(refusal('The body is not UTF-8.'));
    const text = body.toString('utf8');
    const bare = text.replace(STRING, '');
    if (isTooDeep(bare)) return done(refusal(`The body nests more than ${DEPTH_MAX} levels.`));
    parse(request, /\d[.eE]/.test(bare) ? quoteInexactNumbers(text) : text, (error, value) => {
      if (error)
        return done(refusal('The body is not valid JSON, or has a key that is not allowed such as __proto__.'));
      if (countKeys(value) !== countColons(bare))
        return done(refusal('An object in the body holds the same key twice.'));
      done(null, value);
    });
  });
}

function refusal(detail: string): ProblemError {
  return new ProblemError('invalid_json', detail, {
    errors: [{ pointer: '', detail }],
  });
}

function quoteInexactNumbers(text: string): string {
  return text.replace(STRING_OR_NUMBER, (token) =>
    token[0] !== '"' && /[.eE]/.test(token) ? JSON.stringify(token) : token,
  );
}

function isTooDeep(bare: string): boolean {
  let depth = 0;
  for (const [bracket] of bare.matchAll(/[[\]{}]/g)) {
    depth += bracket === '[' || bracket === '{' ? 1 : -1;
    if (depth > DEPTH_MAX) return true;
  }
  return false;
}

/** Colons outside of strings: one for each key that was written. */
function countColons(bare: string): number {
  let count = 0;
  for (let at = bare.indexOf(':'); at >= 0; at = bare.indexOf(':', at + 1)) count++;
  return count;
}

/** Keys that were kept, of which a repeated one counts once. */
function countKeys(root: unknown): number {
  let count = 0;
  const rest: unknown[] = [root];
  while (rest.length > 0) {
    const value = rest.pop();
    if (typeof value !== 'object' || value === null) continue;
    const children = Object.values(value);
    if (!Array.isArray(value)) count += children.length;
    for (const child of children) if (typeof child === 'object') rest.push(child);
  }
  return count;
}
