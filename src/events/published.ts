import { z } from 'zod';
import { eventSchema } from './schemas.ts';
import { EVENT_TYPES } from './types.ts';

/** The files of `schemas/events`, by name: a JSON Schema (draft 2020-12) for each type of event. */
export function publishedSchemas(): Map<string, string> {
  return new Map(
    EVENT_TYPES.map((type) => {
      const schema = { title: type, ...z.toJSONSchema(eventSchema(type), { target: 'draft-2020-12', override: open }) };
      return [`${type}.json`, `${JSON.stringify(schema, null, 2)}\n`];
    }),
  );
}

/** Fields may be added to events: those who check them are not to refuse what they do not know. */
function open({ jsonSchema }: { jsonSchema: { additionalProperties?: unknown } }): void {
  if (jsonSchema.additionalProperties === false) delete jsonSchema.additionalProperties;
}
