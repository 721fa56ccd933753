import { type Link, type Span, SpanKind, SpanStatusCode, type Tracer } from '@opentelemetry/api';
import { ATTR_ERROR_TYPE } from '@opentelemetry/semantic-conventions';
import { LedgerError } from '../ledger/errors.ts';
import type { Ledger } from '../ledger/ledger.ts';
import type { AppendResult, ClaimResult, EngineObserver } from '../ledger/ports.ts';
import type { Block, Command, Outcome } from '../ledger/types.ts';
import { currentContext } from './contexts.ts';

/** A block may hold a thousand entries. */
const LINKS_MAX = 128;

interface CommandSpan {
  readonly span: Span;
  readonly startedAt: number;
}

/**
 * A span for each command from submit to outcome, within that of its request or message, with an event for its claim and
 * for each append; and one for each block, linked to the commands that it decides. Ids, places and durations only: no
 * accounts and no amounts.
 */
export class LedgerSpans implements EngineObserver {
  readonly #commands = new Map<string, CommandSpan>();

  constructor(readonly tracer: Tracer) {}

  /** The ledger, with a span for each command. */
  over(ledger: Ledger): Ledger {
    return {
      submit: (command) => this.#submit(command, ledger),
      submitMany: (commands) => Promise.allSettled(commands.map((command) => this.#submit(command, ledger))),
    };
  }

  async #submit(command: Command, ledger: Ledger): Promise<Outcome> {
    const attributes = { 'kvitt.command.id': command.id, 'kvitt.command.kind': command.kind };
    const span = this.tracer.startSpan(
      `ledger ${command.kind}`,
      { kind: SpanKind.INTERNAL, attributes },
      currentContext(),
    );
    if (span.isRecording()) this.#commands.set(command.id, { span, startedAt: Date.now() });
    try {
      const outcome = await ledger.submit(command);
      const { entry, book, height, replayed } = outcome;
      span.setAttributes({ 'kvitt.book': book, 'kvitt.height': height, 'kvitt.replayed': replayed });
      if (entry.rejection) span.setAttribute('kvitt.rejection_reason', entry.rejection.reason);
      return outcome;
    } catch (error) {
      span.setAttribute(ATTR_ERROR_TYPE, error instanceof LedgerError ? error.code : 'unexpected_error');
      span.setStatus({ code: SpanStatusCode.ERROR });
      throw error;
    } finally {
      this.#commands.delete(command.id);
      span.end();
    }
  }

  claimed(commands: readonly Command[], result: ClaimResult, durationMs: number): void {
    const began = Date.now() - durationMs;
    for (const { id } of commands) {
      const known = this.#commands.get(id);
      if (known === undefined) continue;
      known.span.setAttribute('kvitt.queue_ms', Math.max(0, began - known.startedAt));
      known.span.addEvent('claim', {
        'kvitt.outcome': result,
        'kvitt.commands': commands.length,
        'kvitt.duration_ms': durationMs,
      });
    }
  }

  appended(blocks: readonly Block[], { landed, ended }: AppendResult, durationMs: number): void {
    for (const [index, block] of blocks.entries()) {
      this.#appended(block, index < landed ? 'done' : ended, durationMs);
    }
  }

  #appended({ book, height, entries }: Block, outcome: AppendResult['ended'], durationMs: number): void {
    const place = { 'kvitt.book': book, 'kvitt.height': height };
    const attributes = { ...place, 'kvitt.entries': entries.length, 'kvitt.outcome': outcome };
    const links: Link[] = [];
    for (const { id } of entries) {
      const known = this.#commands.get(id);
      if (known === undefined) continue;
      known.span.addEvent('append', { ...attributes, 'kvitt.duration_ms': durationMs });
      if (links.length < LINKS_MAX) links.push({ context: known.span.spanContext() });
    }
    // Nobody traces what is in it.
    if (links.length === 0) return;
    const now = Date.now();
    const startTime = now - durationMs;
    const options = { kind: SpanKind.INTERNAL, attributes, links, startTime, root: true };
    const span = this.tracer.startSpan('journal append', options);
    span.end(now);
  }
}
