/** The artifacts that a host keeps, over HTTP: for its operators, and for other agents. */

import type { Readable } from 'node:stream';
import { Transform, type TransformCallback } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { type ArtifactRef, artifactRef } from '../artifacts/artifact.ts';
import type { ArtifactStore } from '../artifacts/types.ts';
import type { ProcessTable } from '../processes/table.ts';
import type { ArtifactsAnswer } from './client.ts';
import { Refusal } from './refusal.ts';

const UPLOADS_MAX = 4;
/** Other agents fetch from this one; it must have something left for its processes. */
const DOWNLOADS_MAX = 16;
const INSTALL_MS_MAX = 15 * 60_000;
const PATH = '/v1/artifacts/:group/:name/:version';

export interface ArtifactRouteOptions {
  readonly store: ArtifactStore;
  readonly archiveBytesMax: number;
  readonly artifactsKept: number;
  table(): ProcessTable | null;
}

export function artifactRoutes({ store, archiveBytesMax, artifactsKept, table }: ArtifactRouteOptions) {
  const uploads = new Places(UPLOADS_MAX, 'uploads');
  const downloads = new Places(DOWNLOADS_MAX, 'downloads');
  return async (app: FastifyInstance): Promise<void> => {
    app.get('/v1/artifacts', async () => ({ artifacts: await artifactsJson(store) }));
    app.post('/v1/artifacts/collect', async () => ({ removed: await store.collect(artifactsKept) }));
    app.get(PATH, { exposeHeadRoute: false }, (request, reply) => sendArchive(store, downloads, request, reply));
    app.put(PATH, async (request, reply) => {
      const ref = refOf(request);
      if (Number(request.headers['content-length'] ?? 0) > archiveBytesMax) throw tooLarge(archiveBytesMax);
      const leave = uploads.take();
      // Once all of it is here, silence is only that it is checked and unpacked.
      request.raw.once('end', () => request.raw.socket.setTimeout(INSTALL_MS_MAX));
      try {
        await receive(store, ref, request.raw, archiveBytesMax);
      } finally {
        leave();
      }
      return reply.code(201).send({ id: ref.id, sha256: ref.sha256 });
    });
    app.delete(PATH, async (request) => {
      const id = idOf(request);
      if (table()?.artifactsInUse().has(id)) throw new Refusal('in_use', `${id} is in use: stop what runs it first`);
      await store.uninstall(id);
      return { removed: [id] };
    });
  };
}

export async function artifactsJson(store: ArtifactStore): Promise<ArtifactsAnswer['artifacts']> {
  return (await store.list()).map(({ id, sha256, signature, bytes, installedAt, isHeld }) => {
    return { id, sha256, signature, bytes, installed_at: installedAt.toISOString(), held: isHeld };
  });
}

/** How many may do something at once. */
class Places {
  readonly #max: number;
  readonly #what: string;
  #taken = 0;

  constructor(max: number, what: string) {
    this.#max = max;
    this.#what = what;
  }

  /** @returns What gives the place back; may be called twice. @throws Refusal `busy` */
  take(): () => void {
    if (this.#taken >= this.#max)
      throw new Refusal('busy', `${this.#max} ${this.#what} go on already; try again later`);
    this.#taken++;
    let isOver = false;
    return () => {
      if (!isOver) this.#taken--;
      isOver = true;
    };
  }
}

async function receive(store: ArtifactStore, ref: ArtifactRef, body: Readable, bytesMax: number): Promise<void> {
  const limited = new Limit(bytesMax);
  const flowing = pipeline(body, limited);
  // Whichever fails first says why: the other one only learns that the stream is over.
  flowing.catch(() => undefined);
  try {
    await store.put(ref, limited);
  } catch (error) {
    throw limited.isExceeded ? tooLarge(bytesMax) : error;
  } finally {
    limited.destroy();
  }
}

class Limit extends Transform {
  readonly #max: number;
  #bytes = 0;

  constructor(max: number) {
    super();
    this.#max = max;
  }

  get isExceeded(): boolean {
    return this.#bytes > this.#max;
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    this.#bytes += chunk.length;
    if (this.isExceeded) done(tooLarge(this.#max));
    else done(null, chunk);
  }
}

async function sendArchive(
  store: ArtifactStore,
  downloads: Places,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const id = idOf(request);
  const installed = (await store.list()).find((each) => each.id === id);
  if (installed === undefined) throw new Refusal('missing', `${id} is not installed here`);
  const { bytes, sha256 } = installed;
  const tag = `"${sha256}"`;
  const from = firstByte(request, tag);
  reply.headers({ 'accept-ranges': 'bytes', etag: tag, 'x-artifact-sha256': sha256 });
  if (from >= bytes && from > 0) {
    reply.header('content-range', `bytes */${bytes}`);
    throw new Refusal('range', `it has ${bytes} bytes`);
  }
  const leave = downloads.take();
  try {
    const { archive } = await store.read(id, from);
    archive.once('close', leave);
    if (request.raw.socket.destroyed) archive.destroy();
    if (from > 0) reply.code(206).header('content-range', `bytes ${from}-${bytes - 1}/${bytes}`);
    reply.type('application/octet-stream').header('content-length', bytes - from);
    return reply.send(archive);
  } catch (error) {
    leave();
    throw error;
  }
}

/** Of `Range: bytes=<from>-`. Any other range is answered with the whole, as the standard allows. */
function firstByte({ headers }: FastifyRequest, tag: string): number {
  const match = /^bytes=(\d{1,15})-$/.exec(headers.range ?? '');
  const isSame = headers['if-range'] === undefined || headers['if-range'] === tag;
  return match !== null && isSame ? Number(match[1]) : 0;
}

function idOf(request: FastifyRequest): string {
  const { group, name, version } = request.params as Record<'group' | 'name' | 'version', string>;
  const parsed = artifactRef.shape.id.safeParse(`${group}:${name}:${version}`);
  if (parsed.success) return parsed.data;
  throw new Refusal('malformed', `the artifact ${parsed.error.issues[0]!.message}`);
}

function refOf(request: FastifyRequest): ArtifactRef {
  const { 'x-artifact-sha256': sha256, 'x-artifact-signature': signature } = request.headers;
  const given = { id: idOf(request), sha256, ...(signature === undefined ? {} : { signature }) };
  const parsed = artifactRef.safeParse(given);
  if (parsed.success) return parsed.data;
  const { path, message } = parsed.error.issues[0]!;
  throw new Refusal('malformed', `the header x-artifact-${path.join('.')} ${message}`);
}

function tooLarge(bytesMax: number): Refusal {
  return new Refusal('too_large', `an archive has ${bytesMax} bytes at most here: see NODEE_ARTIFACT_MIB_MAX`);
}
