/** A collector that takes OTLP over HTTP as JSON, and keeps it; or takes nothing. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

type Value = { stringValue?: string; intValue?: number | string; doubleValue?: number; boolValue?: boolean };
type Attributes = readonly { readonly key: string; readonly value: Value }[];

interface SentSpan {
  readonly name: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly kind: number;
  readonly status?: { readonly code?: number };
  readonly attributes: Attributes;
  readonly events: readonly { readonly name: string; readonly attributes: Attributes }[];
  readonly links?: readonly { readonly spanId: string }[];
}

export interface KeptSpan extends Omit<SentSpan, 'attributes' | 'events' | 'links'> {
  readonly attributes: Record<string, unknown>;
  readonly events: Record<string, Record<string, unknown>>;
  /** Ids of spans. */
  readonly links: readonly string[];
}

interface Sent {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: Attributes };
    readonly scopeSpans: readonly { readonly spans: readonly SentSpan[] }[];
  }[];
}

export class Collector {
  readonly spans: KeptSpan[] = [];
  readonly services = new Set<unknown>();
  /** Requests, whatever became of them. */
  requests = 0;
  /** It reads what comes and never answers. */
  hangs = false;
  /** Requests that have no answer yet and were not given up by their sender. */
  readonly open = new Set<IncomingMessage>();
  readonly #server: Server;

  private constructor() {
    this.#server = createServer(async (request, response) => {
      this.requests++;
      this.open.add(request);
      response.on('close', () => this.open.delete(request));
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      if (this.hangs) return;
      if (request.url === '/v1/traces') this.#keep(JSON.parse(Buffer.concat(chunks).toString()) as Sent);
      response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
    });
  }

  static async start(): Promise<Collector> {
    const collector = new Collector();
    collector.#server.listen(0, '127.0.0.1');
    await once(collector.#server, 'listening');
    return collector;
  }

  get endpoint(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  named(name: string): KeptSpan[] {
    return this.spans.filter((span) => span.name === name);
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #keep({ resourceSpans }: Sent): void {
    for (const { resource, scopeSpans } of resourceSpans) {
      this.services.add(plain(resource.attributes)['service.name']);
      for (const { attributes, events, links = [], ...span } of scopeSpans.flatMap(({ spans }) => spans)) {
        this.spans.push({
          ...span,
          attributes: plain(attributes),
          events: Object.fromEntries(events.map((event) => [event.name, plain(event.attributes)])),
          links: links.map(({ spanId }) => spanId),
        });
      }
    }
  }
}

function plain(attributes: Attributes): Record<string, unknown> {
  return Object.fromEntries(
    attributes.map(({ key, value: { stringValue, intValue, doubleValue, boolValue } }) => [
      key,
      stringValue ?? boolValue ?? Number(intValue ?? doubleValue),
    ]),
  );
}
