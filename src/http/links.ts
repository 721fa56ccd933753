/** The `Link` header (RFC 8288) of every list: the pages next to it, with all that the list was asked for. */
import type { FastifyInstance } from 'fastify';

const CURSORS = ['starting_after', 'ending_before'] as const;
type Cursor = (typeof CURSORS)[number];
/** Where to begin; a page that goes on begins where the one before ended. */
const STARTS = ['cursor', 'created[gte]'];

/** Clients take headers of 16 kB in all: rather none than an answer that cannot be read. */
const LENGTH_MAX = 8_000;

interface List {
  readonly object: 'list';
  readonly data: readonly { readonly id?: unknown }[];
  readonly has_more: boolean;
  /** Of those that go on at it for ever, and never back. */
  readonly next_cursor?: string;
}

export function linkPages(app: FastifyInstance): void {
  app.addHook('preSerialization', (request, reply, payload, done) => {
    if (isList(payload)) {
      const links = linksOf(payload, request.url).join(', ');
      if (links.length > 0 && links.length <= LENGTH_MAX) reply.header('link', links);
    }
    done(null, payload);
  });
}

function isList(payload: unknown): payload is List {
  return (payload as { object?: unknown } | null)?.object === 'list';
}

function linksOf({ data, has_more: hasMore, next_cursor: cursor }: List, url: string): string[] {
  if (cursor !== undefined) return [linkOnward(url, cursor)];
  const [first, last] = [data[0]?.id, data.at(-1)?.id];
  if (typeof first !== 'string' || typeof last !== 'string') return [];
  const [path = '', query = ''] = url.split('?', 2);
  const asked = new URLSearchParams(query);
  const goesBack = asked.has('ending_before');
  const link = (rel: 'next' | 'prev', cursor: Cursor, id: string) => {
    const parameters = new URLSearchParams([...asked].filter(([name]) => !CURSORS.includes(name as Cursor)));
    parameters.append(cursor, id);
    return `<${path}?${parameters}>; rel="${rel}"`;
  };
  // Where the page was come from there is something: the cursor's own item at the least.
  return [
    ...(goesBack || hasMore ? [link('next', 'starting_after', last)] : []),
    ...((goesBack && hasMore) || asked.has('starting_after') ? [link('prev', 'ending_before', first)] : []),
  ];
}

function linkOnward(url: string, cursor: string): string {
  const [path = '', query = ''] = url.split('?', 2);
  const parameters = new URLSearchParams(query);
  for (const name of STARTS) parameters.delete(name);
  parameters.append('cursor', cursor);
  return `<${path}?${parameters}>; rel="next"`;
}
