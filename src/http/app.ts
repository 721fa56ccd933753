/** What is served over HTTP. Whoever calls {@link buildApp} listens and closes. */
import rateLimit from '@fastify/rate-limit';
import underPressure from '@fastify/under-pressure';
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest, LogController } from 'fastify';
import { uuidv7 } from 'uuidv7';
import { requireKeys } from './auth.ts';
import { answerBrokenRequests } from './broken.ts';
import { markDryRuns } from './dry-runs.ts';
import { tagReads } from './etags.ts';
import { toProblem } from './faults.ts';
import { acceptJsonOnly } from './json.ts';
import { linkPages } from './links.ts';
import { documentRoutes, serveDocuments } from './openapi.ts';
import { auditOperators } from './operator-actions.ts';
import { withoutValues } from './own-words.ts';
import type { HttpDeps, HttpSettings } from './ports.ts';
import { ProblemError, sendProblem } from './problem.ts';
import { refuseEarly } from './refuse-early.ts';
import { RequestLimit } from './request-limit.ts';
import { accountRoutes } from './routes/accounts.ts';
import { balanceRoutes } from './routes/balances.ts';
import { breakRoutes } from './routes/breaks.ts';
import { deadLetterRoutes } from './routes/dead-letters.ts';
import { eventRoutes } from './routes/events.ts';
import { healthRoutes, metricsRoutes } from './routes/health.ts';
import { ledgerRoutes } from './routes/ledger.ts';
import { paymentRoutes } from './routes/payments.ts';
import { reconciliationRoutes } from './routes/reconciliations.ts';
import { transactionRoutes } from './routes/transactions.ts';
import { webhookRoutes } from './routes/webhooks.ts';
import { SECURITY_HEADERS } from './security-headers.ts';
import { traceOf, traceRequests } from './traces.ts';
import { refuseUnknownRoutes } from './unknown-routes.ts';
import { validatorCompiler } from './validation.ts';

/** Longer than any id, percent-encoded or not: what is longer still is a 404. */
const PARAM_LENGTH_MAX = 512;
const NOBODY = () => null;

/**
 * Builds the app over an implementation of `Payments`. Rejects when a route is misdeclared. `listen` and `close` are
 * the caller's; while it closes, requests that still come in are answered and their connections then closed.
 */
export async function buildApp(deps: HttpDeps): Promise<FastifyInstance> {
  const {
    payments,
    leaderOf = NOBODY,
    events,
    webhooks,
    deadLetters,
    reconciliations,
    auth,
    audit,
    health,
    metrics,
    log,
    settings,
  } = deps;
  const app = createFastify(deps);
  app.setValidatorCompiler(validatorCompiler);
  // Answers are made by present.ts from typed views; the response schemas are for the document and for the tests.
  app.setSerializerCompiler(() => JSON.stringify);
  acceptJsonOnly(app);
  app.setErrorHandler((error, request, reply) => answerFault(error, request, reply));
  refuseUnknownRoutes(app);
  traceRequests(app, deps.tracer ?? null);
  observe(app, deps);
  letConnectionsGo(app);
  await shedLoad(app, settings);
  await documentRoutes(app, settings.version);
  await app.register(healthRoutes(health));
  await app.register(metricsRoutes(metrics, settings.metricsOpen ? null : auth));
  const limit = new RequestLimit(settings.requestsMax, log);
  refuseEarly(app, limit, metrics);
  await app.register(async (v1) => {
    limit.enforce(v1);
    requireKeys(v1, auth);
    await limitRate(v1, settings);
    limit.forgetAbandoned(v1);
    auditOperators(v1, audit);
    markDryRuns(v1);
    linkPages(v1);
    tagReads(v1);
    for (const routes of [accountRoutes, balanceRoutes, paymentRoutes, transactionRoutes]) {
      await v1.register(routes(payments));
    }
    await v1.register(ledgerRoutes(payments, leaderOf));
    await v1.register(eventRoutes(events));
    await v1.register(webhookRoutes(webhooks));
    await v1.register(deadLetterRoutes(deadLetters));
    await v1.register(reconciliationRoutes(reconciliations));
    await v1.register(breakRoutes(reconciliations));
  });
  await serveDocuments(app);
  await app.ready();
  return app;
}

function createFastify({ log, settings }: HttpDeps): FastifyInstance {
  return Fastify({
    loggerInstance: log,
    // A child logger and two lines a request would cost more than the request; see observe().
    logController: new LogController({ disableRequestLogging: true }),
    childLoggerFactory: (logger) => logger,
    requestIdHeader: false,
    genReqId: () => `req_${uuidv7()}`,
    bodyLimit: settings.bodyLimitBytes,
    requestTimeout: settings.requestTimeoutMs,
    return503OnClosing: false,
    routerOptions: { maxParamLength: PARAM_LENGTH_MAX },
    frameworkErrors: (error, request, reply) => answerFault(error, request, reply),
    clientErrorHandler: answerBrokenRequests,
  });
}

function answerFault(error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const problem = toProblem(error, request);
  if (problem.code === 'internal_error') {
    const err = withoutValues(error, request);
    const fields = { request_id: request.id, ...traceOf(request), route: routeOf(request) };
    request.log.error({ err, ...fields }, 'request failed unexpectedly');
  }
  // Fastify would close the connection after a refused body, and a client still sending would lose the answer. The rest
  // is read and thrown away instead, at most until the request times out.
  reply.removeHeader('connection');
  return sendProblem(problem, request, reply);
}

/** Headers that every answer has, metrics, and a line for what is slow or failed. */
function observe(app: FastifyInstance, { metrics, settings, log }: HttpDeps): void {
  app.decorateRequest('problem', null);
  app.addHook('onRequest', (request, reply, done) => {
    reply.header('x-request-id', request.id);
    reply.headers(SECURITY_HEADERS);
    done();
  });
  app.addHook('onResponse', (request, reply, done) => {
    const route = routeOf(request);
    metrics.requestEnded(request.method, route, reply.statusCode, reply.elapsedTime / 1000, request.problem);
    const isFailed = reply.statusCode >= 500 && request.underWay !== 'refused';
    if (reply.elapsedTime > settings.slowRequestMs || isFailed) {
      const fields = {
        request_id: request.id,
        ...traceOf(request),
        method: request.method,
        route,
        status: reply.statusCode,
      };
      log.warn({ ...fields, duration_ms: Math.round(reply.elapsedTime) }, 'request was slow or failed');
    }
    done();
  });
}

/**
 * A connection that is in use when the app begins to close would be kept after its answer, and the app would wait for
 * it until the client lets it go.
 */
function letConnectionsGo(app: FastifyInstance): void {
  let closing = false;
  app.addHook('preClose', (done) => {
    closing = true;
    done();
  });
  app.addHook('onSend', (_request, reply, payload, done) => {
    if (closing) reply.header('connection', 'close');
    done(null, payload);
  });
}

/** The pattern, so that ids make no new metric series. */
function routeOf(request: FastifyRequest): string {
  return request.routeOptions?.url ?? 'unknown';
}

async function shedLoad(app: FastifyInstance, { eventLoopDelayMsMax }: HttpSettings): Promise<void> {
  if (eventLoopDelayMsMax === 0) return;
  await app.register(underPressure, {
    maxEventLoopDelay: eventLoopDelayMsMax,
    pressureHandler: (request) => {
      // Whoever asks about health wants to know about the process, not about its load.
      if (request.url === '/livez' || request.url === '/readyz' || request.url === '/metrics') return;
      throw new ProblemError('overloaded', 'The service is too busy. Nothing was written: send it again later.');
    },
  });
}

async function limitRate(app: FastifyInstance, settings: HttpSettings): Promise<void> {
  if (settings.rateLimitPerMinute === 0 && !settings.rateLimitMayChange) return;
  await app.register(rateLimit, {
    max: () => settings.rateLimitPerMinute,
    allowList: () => settings.rateLimitPerMinute === 0,
    timeWindow: 60_000,
    enableDraftSpec: true,
    keyGenerator: (request) => request.principal.keyId,
    errorResponseBuilder: (_request, context) =>
      new ProblemError(
        'rate_limited',
        `This key may send ${context.max} requests a minute. Try again in ${context.after}.`,
      ),
  });
}
