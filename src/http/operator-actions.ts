/** What operators do over HTTP is kept in the audit log, as is what they do with the command line. */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { AuditPort, OperatorAction } from './ports.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** What is kept in the audit log each time that it succeeds. */
    audited?: OperatorAction;
    /** Of the body and the answer, what is kept with it. */
    auditDetails?: (body: unknown, answer: unknown) => Record<string, string>;
  }
}

/**
 * Keeps what routes of the scope `operations` change, before the answer is given: when it cannot be kept the answer says
 * so. A route that changes something and names no action does not start.
 */
export function auditOperators(app: FastifyInstance, audit: AuditPort): void {
  app.addHook('onRoute', ({ method, url, config }) => {
    const isRead = [method].flat().every((one) => one === 'GET' || one === 'HEAD');
    if (config?.scope === 'operations' && !isRead && config.audited === undefined) {
      throw new Error(`${String(method)} ${url} names no action for the audit log`);
    }
  });
  // Problems are sent as text, and do not come by here.
  app.addHook('preSerialization', async (request, _reply, answer) => {
    const { audited } = request.routeOptions.config;
    if (audited !== undefined) await audit.record(entryOf(audited, request, answer as Answered));
    return answer;
  });
}

interface Answered {
  readonly object: string;
  /** Of the one thing that it was done to. */
  readonly id?: string;
}

function entryOf(action: OperatorAction, request: FastifyRequest, answer: Answered) {
  const { object, id } = answer;
  const { client, keyId } = request.principal;
  return {
    actor: `client ${client}`,
    action,
    target: id === undefined ? object : `${object} ${id}`,
    details: {
      ...{ key_id: keyId, request_id: request.id },
      ...(request.params as Record<string, string>),
      ...request.routeOptions.config.auditDetails?.(request.body, answer),
    },
  };
}
