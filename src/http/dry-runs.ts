/** Requests that only ask what would become of them. */
import type { FastifyInstance, FastifyRequest } from 'fastify';

type Asked = Pick<FastifyRequest, 'query'>;

/** Marks every answer to a dry run, after validation: that refuses dry runs of what cannot be run dry. */
export function markDryRuns(app: FastifyInstance): void {
  app.addHook('preHandler', (request, reply, done) => {
    if (isDryRun(request)) reply.header('dry-run', 'true');
    done();
  });
}

/** Is nothing to be made? */
export function isDryRun({ query }: Asked): boolean {
  return (query as { dry_run?: string } | undefined)?.dry_run === 'true';
}

/** The same as a part of who asks. */
export function dryRunOf(asked: Asked): { dryRun?: true } {
  return isDryRun(asked) ? { dryRun: true } : {};
}
