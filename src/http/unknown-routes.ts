/** 404 and 405 as problems. Fastify answers 404 for both, so the methods of each path are noted as routes are added. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { ProblemError, sendProblem } from './problem.ts';

/** Must be called before the routes are added. */
export function refuseUnknownRoutes(app: FastifyInstance): void {
  const methodsByPath = new Map<string, { matches: RegExp; methods: Set<string> }>();
  app.addHook('onRoute', ({ url, method }) => {
    const path = methodsByPath.get(url) ?? {
      matches: matcher(url),
      methods: new Set<string>(),
    };
    methodsByPath.set(url, path);
    for (const name of [method].flat()) path.methods.add(name);
  });
  const refuse = (request: FastifyRequest, reply: FastifyReply) => {
    const path = request.url.split('?', 1)[0] as string;
    const methods = [...methodsByPath.values()]
      .filter(({ matches }) => matches.test(path))
      .flatMap((p) => [...p.methods]);
    if (methods.length === 0 || methods.includes(request.method)) {
      return sendProblem(new ProblemError('not_found', 'There is nothing at this path.'), request, reply);
    }
    const allow = [...new Set(methods)].sort().join(', ');
    const detail = `This path answers ${allow}.`;
    return sendProblem(new ProblemError('method_not_allowed', detail, { headers: { allow } }), request, reply);
  };
  app.setNotFoundHandler(refuse);
  // Before the body: of some methods (QUERY) Fastify wants a content type, whatever the path, and would answer 400.
  app.addHook('preParsing', (request, reply, _payload, done) => {
    if (request.is404) refuse(request, reply);
    else done();
  });
}

/** Of a route's pattern: `/v1/accounts/:id` matches any one segment in place of `:id`; a final `*` matches the rest. */
function matcher(pattern: string): RegExp {
  const source = pattern
    .split('/')
    .map((segment) => {
      if (segment === '*') return '.*';
      return segment.startsWith(':') ? '[^/]+' : segment.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
    })
    .join('/');
  return new RegExp(`^${source}$`);
}
