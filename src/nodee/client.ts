import type { Readable } from 'node:stream';
import { Agent, type Dispatcher } from 'undici';
import { z } from 'zod';
import { type ArtifactRef, parseArtifactId } from '../artifacts/artifact.ts';
import { parseJson } from './files.ts';
import { hostReport } from './types.ts';

const CONNECT_MS_MAX = 5_000;
const ANSWER_MS_MAX = 15_000;
/** An upload is answered when it was checked and unpacked. */
const UPLOAD_MS_MAX = 15 * 60_000;
const ANSWER_BYTES_MAX = 16 << 20;

const artifactsAnswer = z.object({
  artifacts: z.array(
    z.object({
      id: z.string(),
      sha256: z.string(),
      signature: z.string().nullable(),
      bytes: z.number(),
      /** In RFC 3339. */
      installed_at: z.string(),
      /** Something uses it, or is about to. */
      held: z.boolean(),
    }),
  ),
});

const statusAnswer = artifactsAnswer.extend({ coordinate: z.string(), report: hostReport });
const removedAnswer = z.object({ removed: z.array(z.string()) });
const refusal = z.object({ code: z.string(), detail: z.string() });

export type ArtifactsAnswer = Readonly<z.infer<typeof artifactsAnswer>>;
export type StatusAnswer = Readonly<z.infer<typeof statusAnswer>>;

/** What an agent answered, or that it did not. */
export class AgentError extends Error {
  override readonly name = 'AgentError';

  constructor(
    /** Of the answer; `unreachable` or `malformed` when there is none that can be read. */
    readonly code: string,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

export interface LogsAsked {
  readonly lines?: number;
  readonly follow?: boolean;
  readonly marks?: boolean;
}

export function artifactPath(id: string): string {
  const { group, name, version } = parseArtifactId(id);
  return `/v1/artifacts/${group}/${name}/${version}`;
}

export function authorization(token: string): Readonly<Record<string, string>> {
  return { authorization: `Bearer ${token}` };
}

/** Asks one agent. All fails with an AgentError. */
export class AgentClient {
  readonly #dispatcher: Agent;

  constructor(
    /** `http://host:port`. */
    readonly address: string,
    readonly token: string,
    answerMs = ANSWER_MS_MAX,
  ) {
    this.#dispatcher = new Agent({
      connect: { timeout: Math.min(CONNECT_MS_MAX, answerMs) },
      headersTimeout: answerMs,
      bodyTimeout: answerMs,
    });
  }

  status(): Promise<StatusAnswer> {
    return this.#json('GET', '/v1/status', statusAnswer);
  }

  artifacts(): Promise<ArtifactsAnswer> {
    return this.#json('GET', '/v1/artifacts', artifactsAnswer);
  }

  async restart(coordinate: string): Promise<void> {
    await this.#json('POST', `/v1/processes/${encodeURIComponent(coordinate)}/restart`, z.unknown());
  }

  /** Resolves with the text, which goes on until it is destroyed when it is followed. */
  async logs(coordinate: string, { lines, follow = false, marks = false }: LogsAsked): Promise<Readable> {
    const asked = new URLSearchParams({ follow: String(follow), marks: String(marks) });
    if (lines !== undefined) asked.set('lines', String(lines));
    const path = `/v1/processes/${encodeURIComponent(coordinate)}/logs?${asked}`;
    const { body } = await this.#ask({ method: 'GET', path, ...(follow ? { bodyTimeout: 0 } : {}) });
    return body;
  }

  /** @param bytes Of the archive. */
  async upload({ id, sha256, signature }: ArtifactRef, archive: Readable, bytes: number): Promise<void> {
    const headers = {
      'content-type': 'application/octet-stream',
      'content-length': String(bytes),
      'x-artifact-sha256': sha256,
      ...(signature === undefined ? {} : { 'x-artifact-signature': signature }),
    };
    const options = { headers, body: archive, headersTimeout: UPLOAD_MS_MAX };
    await this.#json('PUT', artifactPath(id), z.unknown(), options);
  }

  async uninstall(id: string): Promise<void> {
    await this.#json('DELETE', artifactPath(id), z.unknown());
  }

  /** Removes versions that nothing uses, but the latest ones. Answers what was removed. */
  async collect(): Promise<string[]> {
    return (await this.#json('POST', '/v1/artifacts/collect', removedAnswer)).removed;
  }

  async close(): Promise<void> {
    await this.#dispatcher.destroy();
  }

  async #json<T>(
    method: Dispatcher.HttpMethod,
    path: string,
    schema: z.ZodType<T>,
    options: Partial<Dispatcher.RequestOptions> = {},
  ): Promise<T> {
    const { body } = await this.#ask({ ...options, method, path });
    const parsed = schema.safeParse(parseJson(await this.#text(body)));
    if (parsed.success) return parsed.data;
    throw new AgentError('malformed', `${this.address} answers what no agent does`);
  }

  async #ask(options: Dispatcher.RequestOptions): Promise<Dispatcher.ResponseData> {
    const headers = { ...(options.headers as Record<string, string>), ...authorization(this.token) };
    let answer: Dispatcher.ResponseData;
    try {
      answer = await this.#dispatcher.request({ ...options, origin: this.address, headers });
    } catch (error) {
      throw this.#unreachable(error);
    }
    if (answer.statusCode < 300) return answer;
    const refused = refusal.safeParse(parseJson(await this.#text(answer.body))).data;
    const detail = refused?.detail ?? `it answered ${answer.statusCode}`;
    throw new AgentError(refused?.code ?? 'malformed', `${this.address}: ${detail}`);
  }

  async #text(body: Readable): Promise<string> {
    const chunks: Buffer[] = [];
    let bytes = 0;
    try {
      for await (const chunk of body as AsyncIterable<Buffer>) {
        bytes += chunk.length;
        if (bytes > ANSWER_BYTES_MAX) throw new Error(`its answer has more than ${ANSWER_BYTES_MAX} bytes`);
        chunks.push(chunk);
      }
    } catch (error) {
      throw this.#unreachable(error);
    }
    return Buffer.concat(chunks).toString('utf8');
  }

  #unreachable(error: unknown): AgentError {
    const why = error instanceof Error ? error.message : String(error);
    return new AgentError('unreachable', `the agent at ${this.address} cannot be asked: ${why}`, { cause: error });
  }
}
