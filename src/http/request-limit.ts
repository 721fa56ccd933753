/** So many requests at once and no more: those beyond are refused before anything is done for them. */
import type { FastifyBaseLogger, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { type Problem, sendProblem } from './problem.ts';

/** Refusals are many when there are any: they are logged by their number, at most once in so long. */
const LOG_EVERY_MS = 1_000;

/** Made once: an Error with its stack costs more than the rest of a refusal. */
export const REFUSAL: Problem = {
  code: 'overloaded',
  message: 'Too much is waiting already. This request wrote nothing: send it again later.',
  extras: {},
};

type Kind = 'reads' | 'writes';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Only reads, whatever its method. */
    reads?: boolean;
  }
  interface FastifyRequest {
    /** As what it counts, until it is answered; or that it was refused for want of room. */
    underWay: Kind | 'refused' | null;
  }
}

/**
 * Counts the requests under way from their first byte to their answer: those that wait for their key to be looked up,
 * for their body and for the ledger. So memory is bounded whatever it is that does not answer. Those that only read are
 * counted apart: who wants to know what became of a payment need not queue behind payments.
 */
export class RequestLimit {
  readonly #underWay: Record<Kind, number> = { reads: 0, writes: 0 };
  #refused = 0;
  #loggedAt = Number.NEGATIVE_INFINITY;

  constructor(
    readonly max: number,
    readonly log: FastifyBaseLogger,
  ) {}

  hasRoomFor(kind: Kind): boolean {
    return this.#underWay[kind] < this.max;
  }

  /** Before all other hooks of this context. */
  enforce(app: FastifyInstance): void {
    app.decorateRequest('underWay', null);
    app.addHook('onRequest', (request, reply, done) => {
      const { method, routeOptions } = request;
      const kind = method === 'GET' || method === 'HEAD' || routeOptions.config.reads ? 'reads' : 'writes';
      if (!this.hasRoomFor(kind)) {
        this.#refuse(request, reply);
        return;
      }
      this.#underWay[kind]++;
      request.underWay = kind;
      done();
    });
    app.addHook('onSend', (request, _reply, payload, done) => {
      this.#end(request);
      done(null, payload);
    });
  }

  /**
   * After the hooks that wait for something. Whoever hung up meanwhile is answered no more, and counted until now: what
   * was waited for was still there.
   */
  forgetAbandoned(app: FastifyInstance): void {
    app.addHook('onRequest', (request, _reply, done) => {
      if (request.raw.destroyed) this.#end(request);
      done();
    });
  }

  #end(request: FastifyRequest): void {
    if (request.underWay === null || request.underWay === 'refused') return;
    this.#underWay[request.underWay]--;
    request.underWay = null;
  }

  countRefusal(): void {
    this.#refused++;
    const now = performance.now();
    if (now - this.#loggedAt >= LOG_EVERY_MS) {
      this.log.warn({ refused: this.#refused, max: this.max }, 'too many requests are under way: refused some');
      this.#refused = 0;
      this.#loggedAt = now;
    }
  }

  #refuse(request: FastifyRequest, reply: FastifyReply): void {
    request.underWay = 'refused';
    this.countRefusal();
    sendProblem(REFUSAL, request, reply);
  }
}
