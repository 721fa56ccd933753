/** The OpenAPI document, made from the schemas of the routes, and Swagger UI over it. */
import helmet from '@fastify/helmet';
import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import type { FastifyInstance } from 'fastify';
import { jsonSchemaTransform, jsonSchemaTransformObject } from 'fastify-type-provider-zod';

const DESCRIPTION = `A payment ledger. Amounts are minor units (cents, øre, yen), accepted as an integer or a string of
digits and always answered as a string. Lists are newest first. Errors are RFC 9457 problems with a \`code\` from one
closed list. Every POST that moves money needs an \`Idempotency-Key\`.`;

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
        { name: 'reconciliations', description: 'The ledger against the statements of others' },
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
    transform: jsonSchemaTransform,
    transformObject: withoutInputForms,
  });
}

/** Named schemas are only ever answered, so the second, never used `…Input` form that is made of each is left out. */
const withoutInputForms: typeof jsonSchemaTransformObject = (document) => {
  const made = jsonSchemaTransformObject(document);
  const schemas = ('components' in made && made.components?.schemas) || {};
  for (const name of Object.keys(schemas)) if (name.endsWith('Input')) delete schemas[name];
  return made;
};

/** `/openapi.json` and `/docs`, open to all. */
export async function serveDocuments(app: FastifyInstance): Promise<void> {
  await app.register(async (pages) => {
    await pages.register(helmet, {
      contentSecurityPolicy: contentSecurityPolicy(),
      strictTransportSecurity: false,
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
