/** The OpenAPI document, made from the schemas of the routes, and Swagger UI over it. */
import helmet from '@fastify/helmet';
import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import type { FastifyInstance } from 'fastify';
import { jsonSchemaTransform, jsonSchemaTransformObject } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { OtherBodies } from './operation.ts';

const DESCRIPTION = `A payment ledger. Amounts are minor units (cents, øre, yen), accepted as an integer or a string of
digits and always answered as a string. Lists are newest first. Errors are RFC 9457 problems with a \`code\` from one
closed list. Every POST that moves money needs an \`Idempotency-Key\`. Reads answer an \`ETag\`; with it as \`If-None-Match\`
the answer is 304 while it is the same. Lists answer a \`Link\` to the pages next to them, which keeps all filters.`;

/** Must be registered before the routes: it collects them as they are added. */
export async function documentRoutes(app: FastifyInstance, version: string): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: 'Kvitt', version, description: DESCRIPTION },
      tags: [
        { name: 'accounts', description: 'Accounts, balances, statements' },
        { name: 'payments', description: 'One source, one destination' },
        { name: 'transactions', description: 'Any balanced set of postings' },
        { name: 'ledger', description: 'The whole ledger' },
        { name: 'events', description: 'What happened, for those who are to be told' },
        { name: 'webhooks', description: 'Events posted to those who asked for them' },
        { name: 'dead letters', description: 'Messages of SQS that could not be handled' },
        { name: 'reconciliations', description: 'The ledger against the statements of others' },
        { name: 'breaks', description: 'What differs, until it is settled or somebody resolves it' },
        { name: 'health', description: 'For whoever runs the service' },
      ],
      components: {
        securitySchemes: {
          apiKey: {
            type: 'http',
            scheme: 'bearer',
            description: 'An API key: `Authorization: Bearer kvitt_…`',
          },
        },
      },
    },
    transform: (route) => withOtherBodies(withConditions(route)),
    transformObject: (document) => withOptionalBodies(withoutInputForms(document)),
  });
}

/** A route as it stands in the document. */
type Documented = ReturnType<typeof jsonSchemaTransform>;

/** What every read under `/v1` takes and may answer besides: see `tagReads`. */
const withConditions: typeof jsonSchemaTransform = (route) => {
  const made = jsonSchemaTransform(route);
  const { method } = route.route;
  const isRead = method === 'GET' && route.url.startsWith('/v1/');
  if (!isRead || made.schema.response === undefined) return made;
  const unchanged = { type: 'null', description: 'It is what `If-None-Match` names.' };
  const headers = {
    type: 'object',
    properties: { 'If-None-Match': { type: 'string', description: 'The ETag of what is known already.' } },
  };
  return { ...made, schema: { ...made.schema, headers, response: { ...made.schema.response, 304: unchanged } } };
};

/** A body that may be something else than JSON: see `otherBodies` of `operation`. */
function withOtherBodies(made: Documented): Documented {
  const { otherBodies, ...schema } = made.schema as Documented['schema'] & OtherBodies;
  if (otherBodies === undefined) return made;
  const others = Object.entries(otherBodies).map(([type, body]) => {
    const { $schema: _, ...documented } = z.toJSONSchema(body, { io: 'input' });
    return [type, { schema: documented }];
  });
  const content = { 'application/json': { schema: schema.body }, ...Object.fromEntries(others) };
  return { ...made, schema: { ...schema, body: { content } } };
}

/** Named schemas are only ever answered, so the second, never used `…Input` form that is made of each is left out. */
const withoutInputForms: typeof jsonSchemaTransformObject = (document) => {
  const made = jsonSchemaTransformObject(document);
  const schemas = ('components' in made && made.components?.schemas) || {};
  for (const name of Object.keys(schemas)) if (name.endsWith('Input')) delete schemas[name];
  return made;
};

type Operations = Record<string, Record<string, { 'x-optional-body'?: boolean; requestBody?: { required?: boolean } }>>;

/** A body that may be left out is said to be needed by whoever makes the document. */
function withOptionalBodies(document: ReturnType<typeof withoutInputForms>): typeof document {
  const paths = ('paths' in document ? document.paths : {}) as Operations;
  for (const operation of Object.values(paths).flatMap((methods) => Object.values(methods))) {
    if (operation['x-optional-body'] && operation.requestBody) operation.requestBody.required = false;
  }
  return document;
}

/** `/openapi.json` and `/docs`, open to all. */
export async function serveDocuments(app: FastifyInstance): Promise<void> {
  await app.register(async (pages) => {
    await pages.register(helmet, {
      contentSecurityPolicy: contentSecurityPolicy(),
      strictTransportSecurity: false,
      xFrameOptions: { action: 'deny' },
    });
    // Helmet sets its headers beneath those that every answer has, which would win.
    pages.addHook('onRequest', (_request, reply, done) => {
      reply.headers(reply.raw.getHeaders());
      done();
    });
    pages.get('/openapi.json', { schema: { hide: true } }, () => app.swagger());
    await pages.register(swaggerUi, { routePrefix: '/docs' });
  });
}

/** Helmet's, but for `upgrade-insecure-requests`, which would break pages that are served over plain http. */
function contentSecurityPolicy() {
  return {
    useDefaults: false,
    directives: {
      defaultSrc: ["'self'"],
      baseUri: ["'self'"],
      connectSrc: ["'self'"],
      fontSrc: ["'self'", 'data:'],
      formAction: ["'self'"],
      frameAncestors: ["'none'"],
      imgSrc: ["'self'", 'data:'],
      objectSrc: ["'none'"],
      scriptSrc: ["'self'"],
      scriptSrcAttr: ["'none'"],
      styleSrc: ["'self'", "'unsafe-inline'"],
    },
  };
}
