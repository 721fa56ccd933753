import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { requireKeys } from '../auth.ts';
import { operation, problemResponses } from '../operation.ts';
import type { AuthPort, HealthPort, HttpMetrics } from '../ports.ts';
import { ProblemError } from '../problem.ts';

const tags = ['health'];

const livez = {
  schema: {
    tags,
    summary: 'Is the process alive?',
    response: { 200: z.strictObject({ status: z.literal('ok') }) },
  },
};

const readyz = {
  schema: {
    tags,
    summary: 'May this process be sent requests?',
    response: {
      200: z.strictObject({
        status: z.literal('ready'),
        checks: z.record(z.string(), z.string()),
      }),
      ...problemResponses(['not_ready']),
    },
  },
};

const metricsOperation = operation('operations', [], {
  tags,
  summary: 'Metrics in the Prometheus text format',
  response: { 200: { description: 'Metrics.', content: { 'text/plain': { schema: z.string() } } } },
});

export function healthRoutes(health: HealthPort): FastifyPluginAsyncZod {
  return async (app) => {
    app.get('/livez', livez, async () => ({ status: 'ok' as const }));
    app.get('/readyz', readyz, async () => {
      const { ready, checks } = await health.readiness();
      if (ready) return { status: 'ready' as const, checks };
      throw new ProblemError('not_ready', 'A part that requests need is not ready; see checks.', {
        members: { checks },
      });
    });
  };
}

/** `auth: null` leaves the metrics open. */
export function metricsRoutes(metrics: HttpMetrics, auth: AuthPort | null): FastifyPluginAsyncZod {
  return async (app) => {
    if (auth !== null) requireKeys(app, auth);
    app.get('/metrics', metricsOperation, async (_request, reply) => {
      return reply.header('content-type', metrics.contentType).send(await metrics.render());
    });
  };
}
