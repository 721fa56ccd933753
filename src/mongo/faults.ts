import { MongoError } from 'mongodb';
import { LedgerError } from '../ledger/errors.ts';

const MESSAGES = {
  unavailable: 'the database cannot be reached; nothing was written, send it again',
  outcome_unknown: 'the database did not answer; it may or may not have been written, send the same again to learn it',
} as const;

/**
 * The same port, whose faults of the database are said in the ledger's words. Reads end as `unavailable`; the methods
 * named in `writes` as `outcome_unknown`, since nobody knows what became of them. What is read one by one is left as it
 * is: it is for jobs, which begin again.
 */
export function withFaultsNamed<Port extends object>(port: Port, writes: readonly (keyof Port)[] = []): Port {
  return new Proxy(port, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name, target);
      if (typeof member !== 'function') return member;
      const code = writes.includes(name as keyof Port) ? 'outcome_unknown' : 'unavailable';
      return (...given: unknown[]) => {
        const answer: unknown = Reflect.apply(member, target, given);
        return isAsyncIterable(answer) ? answer : named(answer, code);
      };
    },
  });
}

function isAsyncIterable(answer: unknown): boolean {
  return typeof answer === 'object' && answer !== null && Symbol.asyncIterator in answer;
}

async function named(answer: unknown, code: keyof typeof MESSAGES): Promise<unknown> {
  try {
    return await answer;
  } catch (cause) {
    if (!(cause instanceof MongoError)) throw cause;
    throw new LedgerError(code, MESSAGES[code], {}, { cause });
  }
}
