/** Sources: the other sides whose statements are compared, as the settings describe them. */
import { z } from 'zod';
import { DEFAULT_RULES, days, ruleSchema } from '../matching/rules.ts';
import { csvMapping } from '../statements/mapping.ts';
import { STATEMENT_FORMATS } from '../statements/reader.ts';

const SOURCE_NAME = /^[a-z0-9][a-z0-9_-]{0,39}$/;
/** What statements are of whose source nobody names. */
export const DEFAULT_SOURCE = 'default';
const SOURCES_MAX = 200;
const SEARCH_DAYS_MAX = 90;

const accountPattern = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9:_.-]{0,127}\*?$/, 'must be the id of an account, or its beginning and *');

export const sourceSchema = z
  .strictObject({
    /** Told from the file unless given. */
    format: z.enum(STATEMENT_FORMATS).optional(),
    /** Of CSV and settlement reports: which column is what. */
    mapping: csvMapping.optional(),
    /** The accounts of the ledger that stand for it, such as `world:bank:*`. All payments unless given. */
    account: accountPattern.optional(),
    /** How many days the dates of the same money may be apart. */
    windowDays: days.default(1),
    /** What the ledger has so few days before the end of a statement may be in the next one. */
    timingDays: days.default(2),
    /** How far outside of a statement's period a movement is looked for that was booked on a wrong date. */
    searchDays: z.int().min(0).max(SEARCH_DAYS_MAX).default(30),
    /** Name of the metadata field that says with what a payment is paid out together. */
    groupBy: z.string().min(1).max(64).optional(),
    rules: z
      .array(ruleSchema)
      .min(1)
      .max(20)
      .default(() => [...DEFAULT_RULES]),
  })
  .refine(({ format, mapping }) => mapping === undefined || format === 'csv' || format === 'psp', {
    message: 'a mapping needs the format csv or psp',
    path: ['mapping'],
  });
export type SourceConfig = z.output<typeof sourceSchema>;

const fileSchema = z.strictObject({
  sources: z
    .record(z.string().regex(SOURCE_NAME, 'must be 1 to 40 small letters, digits, _ or -'), sourceSchema)
    .refine((sources) => Object.keys(sources).length <= SOURCES_MAX, `at most ${SOURCES_MAX} sources`),
});

/** Something that was asked for names a source that there is none of. */
class UnknownSource extends Error {
  override readonly name = 'UnknownSource';
  readonly code = 'unknown_source';
}

/** By name; there is always one called `default`. */
export class Sources {
  readonly #sources: ReadonlyMap<string, SourceConfig>;

  constructor(sources: Readonly<Record<string, SourceConfig>> = {}) {
    this.#sources = new Map(Object.entries({ [DEFAULT_SOURCE]: sourceSchema.parse({}), ...sources }));
  }

  /** Reads a file of settings: `{"sources": {"<name>": {…}}}`. @throws Error that names all that is wrong with it */
  static parse(text: string): Sources {
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch (error) {
      throw new Error(`it is not JSON: ${(error as Error).message}`);
    }
    const parsed = fileSchema.safeParse(value);
    if (parsed.success) return new Sources(parsed.data.sources);
    throw new Error(parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; '));
  }

  get names(): readonly string[] {
    return [...this.#sources.keys()];
  }

  /** @throws UnknownSource */
  get(name: string): SourceConfig {
    const source = this.#sources.get(name);
    if (source) return source;
    throw new UnknownSource(`there is no source ${name}; there are: ${this.names.join(', ')}`);
  }
}
