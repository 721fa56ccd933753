/** What an agent answers over HTTP: see docs/nodee.md. */
import { createHash, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { isIP } from 'node:net';
import type { Readable } from 'node:stream';
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import type { ArtifactStore } from '../artifacts/types.ts';
import { Coordinate } from '../cloudname/coordinate.ts';
import { isCloudnameError } from '../cloudname/errors.ts';
import type { ProcessTable } from '../processes/table.ts';
import type { Log } from '../processes/types.ts';
import { artifactRoutes, artifactsJson } from './artifact-routes.ts';
import { Refusal, toRefusal } from './refusal.ts';
import type { HostReport } from './types.ts';

const HEADERS_MS_MAX = 15_000;
/** Of the whole request, which may be the upload of a large archive. */
const REQUEST_MS_MAX = 60 * 60_000;
/** Without a byte in either direction. Whoever follows a log may be silent for longer, if nothing waits to be sent. */
const SILENCE_MS_MAX = 60_000;
const KEEP_ALIVE_MS = 30_000;
const CONNECTIONS_MAX = 1_000;
const LOGS_MAX = 32;
const LINES_MAX = 100_000;
/** Longer than any part of an artifact's name, or any coordinate. */
const PARAM_LENGTH_MAX = 512;

export interface ServerOptions {
  readonly listen: { readonly host: string; readonly port: number };
  readonly token: string;
  readonly coordinate: string;
  readonly store: ArtifactStore;
  readonly archiveBytesMax: number;
  readonly artifactsKept: number;
  report(): Promise<HostReport>;
  /** Null: the processes are not looked after now. */
  table(): ProcessTable | null;
  readonly log: Log;
}

export class AgentServer {
  readonly #app: FastifyInstance;

  private constructor(
    app: FastifyInstance,
    /** `http://host:port`. */
    readonly address: string,
  ) {
    this.#app = app;
  }

  /** @throws Error when it cannot listen there */
  static async listen(options: ServerOptions): Promise<AgentServer> {
    const { host, port } = options.listen;
    const app = await buildServer(options);
    await app.listen({ host, port });
    const bound = (app.server.address() as AddressInfo).port;
    if (!isLoopback(host)) {
      const warning = 'what is said to this agent is not encrypted: let it listen in a network that only you can read';
      options.log.warn({ host }, warning);
    }
    return new AgentServer(app, `http://${isIP(host) === 6 ? `[${host}]` : host}:${bound}`);
  }

  /** Cuts off whoever follows logs. */
  async close(): Promise<void> {
    await this.#app.close();
  }
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host);
}

async function buildServer(options: ServerOptions): Promise<FastifyInstance> {
  const { log, token, store } = options;
  const app = Fastify({
    forceCloseConnections: true,
    frameworkErrors: (error, request, reply) => refuse(error, request, reply, log),
    routerOptions: { maxParamLength: PARAM_LENGTH_MAX },
    serverFactory: (handle) => createLimited(handle),
  });
  // There is no body but of archives, which are read as they come.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', (_request, payload, done) => done(null, payload));
  app.setErrorHandler((error, request, reply) => refuse(error, request, reply, log));
  app.setNotFoundHandler((request, reply) =>
    refuse(new Refusal('unknown', 'there is no such thing'), request, reply, log),
  );
  // Before anything of a body is read.
  app.addHook('onRequest', requireToken(token));
  app.addHook('onRequest', refuseBodies);
  app.get('/livez', async () => ({ status: 'ok' }));
  app.get('/v1/status', async () => ({
    coordinate: options.coordinate,
    report: await options.report(),
    artifacts: await artifactsJson(store),
  }));
  processRoutes(app, options);
  await app.register(artifactRoutes(options));
  return app;
}

function createLimited(handle: (request: IncomingMessage, response: never) => void) {
  const server = createServer(
    { headersTimeout: HEADERS_MS_MAX, requestTimeout: REQUEST_MS_MAX, keepAlive: true },
    handle as Parameters<typeof createServer>[1],
  );
  server.maxConnections = CONNECTIONS_MAX;
  server.keepAliveTimeout = KEEP_ALIVE_MS;
  server.setTimeout(SILENCE_MS_MAX);
  return server;
}

function requireToken(token: string) {
  const expected = digest(`Bearer ${token}`);
  return async (request: FastifyRequest) => {
    if (request.routeOptions.url === '/livez') return;
    // Of hashes, which have the same length: how long it takes tells nothing of the token.
    if (timingSafeEqual(digest(request.headers.authorization ?? ''), expected)) return;
    throw new Refusal('unauthorized', 'send the token of the agents as Authorization: Bearer …');
  };
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

async function refuseBodies({ method, headers }: FastifyRequest): Promise<void> {
  const hasBody = headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
  if (hasBody && method !== 'PUT') throw new Refusal('too_large', 'no body is read here');
}

function refuse(error: unknown, request: FastifyRequest, reply: FastifyReply, log: Log): FastifyReply {
  const { code, status, message } = toRefusal(error);
  if (status >= 500) log.warn({ err: error, url: request.routeOptions.url }, 'a request failed');
  // What may still come of a body is not read.
  return reply.code(status).header('connection', 'close').send({ code, detail: message });
}

function processRoutes(app: FastifyInstance, options: ServerOptions): void {
  let open = 0;
  app.get('/v1/processes/:coordinate/logs', async (request, reply) => {
    const coordinate = coordinateOf(request);
    const asked = logsAsked(request.query as Record<string, unknown>);
    const table = tableWith(options, coordinate);
    if (open >= LOGS_MAX) throw new Refusal('busy', `${LOGS_MAX} logs are read already; end one of them`);
    open++;
    try {
      const logs = await table.logs(coordinate, asked);
      logs.once('close', () => open--);
      return sendLogs(logs, request, reply);
    } catch (error) {
      open--;
      throw error;
    }
  });
  app.post('/v1/processes/:coordinate/restart', async (request, reply) => {
    const coordinate = coordinateOf(request);
    // It is answered before it is done, which takes as long as the process may take to end.
    tableWith(options, coordinate)
      .restart(coordinate)
      .catch((error: unknown) => options.log.warn({ err: error, coordinate }, 'a restart failed'));
    return reply.code(202).send({ coordinate });
  });
}

function sendLogs(logs: Readable, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const { socket } = request.raw;
  // It may have been left while the log was opened.
  if (socket.destroyed) logs.destroy();
  const cutOff = () => {
    if (reply.raw.writableLength > 0) socket.destroy();
  };
  // Silence is in order as long as there is nothing to be read.
  reply.raw.setTimeout(SILENCE_MS_MAX, cutOff);
  return reply.type('text/plain; charset=utf-8').header('x-content-type-options', 'nosniff').send(logs);
}

function tableWith({ table }: ServerOptions, coordinate: string): ProcessTable {
  const present = table();
  if (present === null) {
    throw new Refusal('not_owner', 'this agent does not look after its processes now: see its problems in its status');
  }
  if (present.reports().some((report) => report.coordinate === coordinate)) return present;
  throw new Refusal('missing', `${coordinate} is not on this host; its status tells what is`);
}

function coordinateOf(request: FastifyRequest): string {
  const { coordinate } = request.params as { coordinate: string };
  try {
    return String(Coordinate.parse(coordinate));
  } catch (error) {
    if (!isCloudnameError(error, 'malformed')) throw error;
    throw new Refusal('malformed', error.message);
  }
}

function logsAsked(query: Record<string, unknown>) {
  const { lines, follow, marks } = query;
  const isRight =
    (lines === undefined || (typeof lines === 'string' && /^\d{1,6}$/.test(lines) && Number(lines) <= LINES_MAX)) &&
    [follow, marks].every((each) => [undefined, 'true', 'false'].includes(each as undefined));
  if (!isRight) throw new Refusal('malformed', `lines is from 0 to ${LINES_MAX}, follow and marks are true or false`);
  return {
    follow: follow === 'true',
    marks: marks === 'true',
    ...(lines === undefined ? {} : { lines: Number(lines) }),
  };
}
