import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import type { RequestListener } from 'node:http';
import { join } from 'node:path';
import { fc, test } from '@fast-check/vitest';
import { describe, expect, it, vi } from 'vitest';
import { ArtifactError, type ArtifactRef } from '../../src/artifacts/artifact.ts';
import { Downloads } from '../../src/artifacts/download.ts';
import type { Source } from '../../src/artifacts/types.ts';
import { refOf, temporaryFolder, useFolders } from './support/folders.ts';
import { breaksOff, hangs, sends, serve, startOf, status } from './support/server.ts';

useFolders();

const CONTENT = Buffer.from(Array.from({ length: 200_000 }, (_, index) => (index * index) % 251));
const OTHER = Buffer.from(CONTENT).fill(7, 1000);
const NEVER = new AbortController().signal;
const TIMES = { connect: 10_000, stall: 10_000, retry: 1 };
/** A port where nobody listens. */
const NOBODY = 'http://127.0.0.1:9';

interface Fetching {
  readonly sources?: readonly Source[];
  readonly bytesMax?: number;
  readonly folder?: string;
  readonly signal?: AbortSignal;
  readonly times?: typeof TIMES;
  others?(ref: ArtifactRef): Promise<readonly Source[]>;
}

async function downloads({
  sources = [],
  bytesMax = 1_000_000,
  folder,
  others,
  times = TIMES,
}: Fetching = {}): Promise<Downloads> {
  const options = {
    others: others ?? (async () => sources),
    limits: { archiveBytes: bytesMax, unpackedBytes: 0, files: 0 },
  };
  return new Downloads(folder ?? (await temporaryFolder()), options, times);
}

/** Is it the right one? */
async function fetched(url: string | undefined, options: Fetching = {}): Promise<boolean> {
  const ref = refOf(CONTENT, url === undefined ? {} : { url });
  const store = await downloads(options);
  return await store.fetch(ref, options.signal ?? NEVER, async (path) => CONTENT.equals(await readFile(path)));
}

async function failure(url: string | undefined, options: Fetching = {}): Promise<ArtifactError> {
  const error = await fetched(url, options).then(
    () => expect.fail('was fetched'),
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(ArtifactError);
  return error as ArtifactError;
}

const plain = (url: string): Source => ({ url, headers: {} });

describe('an archive that is downloaded', () => {
  it('is handed over, and gone afterwards', async () => {
    const server = await serve(sends(CONTENT));
    const folder = await temporaryFolder();
    expect(await fetched(server.url, { folder })).toBe(true);
    expect(await readdir(folder)).toEqual([]);
    expect(server.requests[0]!.headers.range).toBeUndefined();
  });

  it('is fetched on from where the connection broke, if it is still the same', async () => {
    const server = await serve(
      breaksOff(CONTENT, 50_000, '"1"'),
      breaksOff(CONTENT, 50_000, '"1"'),
      sends(CONTENT, '"1"'),
    );
    expect(await fetched(server.url)).toBe(true);
    expect(server.requests.map((request) => startOf(request) > 0)).toEqual([false, true, true]);
    expect(server.requests[1]!.headers['if-range']).toBe('"1"');
  });

  it('is fetched from the beginning where it became another one meanwhile', async () => {
    const server = await serve(breaksOff(OTHER, 50_000, '"1"'), sends(CONTENT, '"2"'));
    expect(await fetched(server.url)).toBe(true);
    expect(server.requests).toHaveLength(2);
  });

  it('is fetched once again when what was put together is wrong', async () => {
    const server = await serve(breaksOff(OTHER, 50_000), sends(CONTENT));
    expect(await fetched(server.url)).toBe(true);
    expect(server.requests.map((request) => startOf(request) > 0)).toEqual([false, true, false]);
  });

  it('is fetched from a server that ignores ranges, also when it breaks off', async () => {
    const whole: RequestListener = (_request, response) => void response.end(CONTENT);
    const server = await serve(breaksOff(CONTENT, 50_000), whole);
    expect(await fetched(server.url)).toBe(true);
    expect(startOf(server.requests[1]!)).toBeGreaterThan(0);
    expect(server.requests).toHaveLength(2);
  });

  it.each<[what: string, answer: RequestListener]>([
    ['that the range is none', status(416)],
    [
      'with another range',
      (_, response) => void response.writeHead(206, { 'content-range': 'bytes 3-9/10' }).end('1234567'),
    ],
    ['with a part that is not told', (_, response) => void response.writeHead(206).end('1234567')],
    [
      'with several parts',
      (_, response) => void response.writeHead(206, { 'content-type': 'multipart/byteranges' }).end('--'),
    ],
  ])('is fetched from the beginning when the server answers %s', async (_, answer) => {
    const server = await serve(breaksOff(CONTENT, 50_000), answer, sends(CONTENT));
    expect(await fetched(server.url)).toBe(true);
    expect(startOf(server.requests[2]!)).toBe(0);
  });

  it('is not fetched again when all of it was fetched before, and is not taken for it when it is not', async () => {
    const folder = await temporaryFolder();
    const part = join(folder, `${refOf(CONTENT).sha256}.part`);
    await writeFile(part, CONTENT);
    expect(await fetched(NOBODY, { folder })).toBe(true);
    const server = await serve(sends(CONTENT));
    await writeFile(part, Buffer.concat([CONTENT, Buffer.from('more')]));
    expect(await fetched(server.url, { folder })).toBe(true);
    expect(server.requests.map(startOf)).toEqual([CONTENT.byteLength + 4, 0]);
  });

  it('is fetched by three tries, and from there on by the next one', async () => {
    const folder = await temporaryFolder();
    const server = await serve(breaksOff(CONTENT, 20_000));
    expect((await failure(server.url, { folder })).code).toBe('unavailable');
    expect(server.requests).toHaveLength(3);
    const better = await serve(sends(CONTENT));
    expect(await fetched(better.url, { folder })).toBe(true);
    expect(startOf(better.requests[0]!)).toBe(60_000);
  });

  it.each([500, 503, 429, 408])('is asked for three times when the answer is %i', async (code) => {
    const server = await serve(status(code));
    expect((await failure(server.url)).message).toContain(`answered HTTP ${code}`);
    expect(server.requests).toHaveLength(3);
  });

  it.each([401, 403, 404, 410, 304, 204])('is asked for once when the answer is %i', async (code) => {
    const server = await serve(status(code));
    expect((await failure(server.url)).message).toContain(`answered HTTP ${code}`);
    expect(server.requests).toHaveLength(1);
  });

  it('is asked of others when its own URL fails, with their headers', async () => {
    const own = await serve(status(404));
    const broken = await serve(status(500));
    const other = await serve(sends(CONTENT));
    const sources = [plain(broken.url), plain(NOBODY), { url: other.url, headers: { authorization: 'Bearer secret' } }];
    expect(await fetched(own.url, { sources })).toBe(true);
    expect(other.requests[0]!.headers.authorization).toBe('Bearer secret');
    expect(own.requests[0]!.headers.authorization).toBeUndefined();
  });

  it('is put together from several that break off', async () => {
    const sources = await Promise.all([1, 2, 3].map(async () => plain((await serve(breaksOff(CONTENT, 20_000))).url)));
    const last = await serve(sends(CONTENT));
    expect(await fetched(undefined, { sources: [...sources, plain(last.url)] })).toBe(true);
    expect(startOf(last.requests[0]!)).toBe(180_000);
  });

  it('is had from an honest one although others sent rubbish before', async () => {
    const rubbish = await serve(breaksOff(OTHER, 40_000));
    const wrong = await serve(sends(OTHER));
    const endless = await serve(sends(Buffer.alloc(2_000_000)));
    const honest = await serve(sends(CONTENT));
    const sources = [rubbish, wrong, endless, rubbish, honest].map(({ url }) => plain(url));
    expect(await fetched(undefined, { sources })).toBe(true);
    expect(wrong.requests).toHaveLength(2);
    expect(endless.requests).toHaveLength(1);
    expect(startOf(honest.requests[1]!)).toBe(0);
  });

  it('is refused, and nothing is kept of it, when its digest is another one', async () => {
    const folder = await temporaryFolder();
    const server = await serve(sends(OTHER));
    const error = await failure(`${server.url}/path?token=secret`, { folder });
    expect(error.code).toBe('untrusted');
    expect(error.message).toContain(`${server.url}/path has an archive with another digest`);
    expect(error.message).not.toContain('secret');
    expect(await readdir(folder)).toEqual([]);
    expect(server.requests).toHaveLength(1);
  });

  it('is refused when its content changes between all tries', async () => {
    let count = 0;
    const server = await serve((request, response) => {
      count += 1;
      breaksOff(Buffer.alloc(200_000, count), 90_000)(request, response);
    });
    expect((await failure(server.url)).code).toBe('unavailable');
    expect(server.requests.length).toBeLessThanOrEqual(4);
  });

  it('is refused by the bytes that come, not by the length that is told', async () => {
    const endless: RequestListener = (_request, response) => {
      const more = () => void response.write(Buffer.alloc(64 * 1024), (error) => error || setImmediate(more));
      more();
    };
    const server = await serve(endless);
    const folder = await temporaryFolder();
    const error = await failure(server.url, { folder, bytesMax: 300_000 });
    expect(error.code).toBe('unacceptable');
    expect(error.message).toContain('larger than 300000 bytes');
    expect(await readdir(folder)).toEqual([]);
    const exact = await serve(sends(CONTENT));
    expect(await fetched(exact.url, { bytesMax: CONTENT.byteLength })).toBe(true);
    expect((await failure(exact.url, { bytesMax: CONTENT.byteLength - 1 })).code).toBe('unacceptable');
  });

  it.each<[what: string, answer: RequestListener]>([
    [
      'more than it sends',
      (_, response) => {
        response.writeHead(200, { 'content-length': CONTENT.byteLength + 10 });
        response.write(CONTENT, () => response.socket?.end());
      },
    ],
    [
      'less than it sends',
      (_, response) => {
        response.socket?.write(`HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n`);
        response.socket?.end(CONTENT);
      },
    ],
    ['no number', (_, response) => void response.socket?.end('HTTP/1.1 200 OK\r\ncontent-length: -5\r\n\r\nabc')],
    [
      'two of them',
      (_, response) =>
        void response.socket?.end('HTTP/1.1 200 OK\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\nabc'),
    ],
    ['nothing of HTTP', (_, response) => void response.socket?.end('SSH-2.0-OpenSSH_9.6\r\n')],
    ['nothing at all', (_, response) => void response.socket?.destroy()],
  ])('is refused, or had all the same, when the length that is told is %s', async (_, answer) => {
    const server = await serve(answer);
    const found = await fetched(server.url).catch((error: ArtifactError) => error);
    if (found !== true) expect(found).toBeInstanceOf(ArtifactError);
  });

  it('is given up where nothing comes any more', async () => {
    const good = await serve(sends(CONTENT));
    const bad = await Promise.all([serve(hangs), serve(() => undefined)]);
    const times = { ...TIMES, stall: 200 };
    const all = bad.map(({ url }) => fetched(url, { sources: [plain(good.url)], times }));
    expect(await Promise.all(all)).toEqual([true, true]);
    expect(bad.map(({ requests }) => requests.length)).toEqual([3, 3]);
  });

  it('is given up at once when that is called off, and goes on from there later', async () => {
    const folder = await temporaryFolder();
    const slow: RequestListener = (_request, response) => {
      response.writeHead(200, { 'content-length': CONTENT.byteLength });
      response.write(CONTENT.subarray(0, 5_000));
    };
    const server = await serve(slow);
    const abort = new AbortController();
    const running = fetched(server.url, { folder, signal: abort.signal });
    const settled = expect(running).rejects.toThrow('called off');
    const part = join(folder, `${refOf(CONTENT).sha256}.part`);
    await vi.waitFor(async () => expect(await readFile(part)).toHaveLength(5_000), { timeout: 30_000 });
    abort.abort(new Error('called off'));
    await settled;
    const good = await serve(sends(CONTENT));
    expect(await fetched(good.url, { folder })).toBe(true);
    expect(startOf(good.requests[0]!)).toBe(5_000);
  });

  it('is redirected five times, and not six times, nor in a circle', async () => {
    const hops = (count: number): RequestListener[] =>
      Array.from({ length: count }, (_, hop) => status([301, 302, 303, 307, 308, 302][hop]!, { location: `/${hop}` }));
    const five = await serve(...hops(5), sends(CONTENT));
    expect(await fetched(five.url)).toBe(true);
    const six = await serve(...hops(6), sends(CONTENT));
    expect((await failure(six.url)).message).toContain('redirects more than 5 times');
    const circle = await serve(status(302, { location: '/' }));
    expect((await failure(circle.url)).message).toContain('redirects more than 5 times');
    expect(circle.requests).toHaveLength(6);
  });

  it('is not redirected to what is not HTTP', async () => {
    for (const location of ['file:///etc/passwd', 'ftp://host/a', 'http://', 'data:,x', 'http://[']) {
      const server = await serve(status(302, { location }));
      expect((await failure(server.url)).code).toBe('unavailable');
      expect(server.requests).toHaveLength(1);
    }
    expect((await failure(undefined, { sources: [plain('file:///etc/passwd'), plain('no url')] })).code).toBe(
      'unavailable',
    );
  });

  it('does not carry credentials to another server, nor loses them at the same one', async () => {
    const target = await serve(sends(CONTENT));
    const other = await serve(status(302, { location: '/further' }), status(307, { location: target.url }));
    const headers = { authorization: 'Bearer secret', 'x-token': 'secret' };
    expect(await fetched(undefined, { sources: [{ url: other.url, headers }] })).toBe(true);
    expect(other.requests.map((request) => request.headers.authorization)).toEqual(['Bearer secret', 'Bearer secret']);
    expect(JSON.stringify(target.requests[0]!.headers)).not.toContain('secret');
    // Nor back to the first one, on behalf of another.
    const back = await serve((request, response) => status(302, { location: first.url })(request, response));
    const first = await serve(status(302, { location: back.url }), sends(CONTENT));
    expect(await fetched(undefined, { sources: [{ url: first.url, headers }] })).toBe(true);
    expect(first.requests.map((request) => request.headers.authorization)).toEqual(['Bearer secret', undefined]);
  });

  it('is fetched by one at a time', async () => {
    let open = 0;
    let most = 0;
    const server = await serve((request, response) => {
      open += 1;
      most = Math.max(most, open);
      setTimeout(() => {
        open -= 1;
        sends(CONTENT)(request, response);
      }, 20);
    });
    const shared = await downloads();
    const ref = refOf(CONTENT, { url: server.url });
    const all = await Promise.all(
      ['a:a:1', 'b:b:1', 'c:c:1'].map((id) =>
        shared.fetch({ ...ref, id }, NEVER, async (path) => CONTENT.equals(await readFile(path))),
      ),
    );
    expect(all).toEqual([true, true, true]);
    expect(most).toBe(1);
  });

  it('is unavailable when there is nobody to ask, or they cannot be found', async () => {
    expect((await failure(undefined)).message).toContain('give it a url, or upload it');
    expect((await failure(undefined, { others: () => Promise.reject(new Error('no ZooKeeper')) })).code).toBe(
      'unavailable',
    );
    expect(
      (
        await failure(undefined, {
          others: () => {
            throw new Error('no ZooKeeper');
          },
        })
      ).code,
    ).toBe('unavailable');
    expect(
      (await failure(undefined, { times: { ...TIMES, stall: 200 }, others: () => new Promise(() => undefined) })).code,
    ).toBe('unavailable');
  });

  it('is not tried again when it cannot be kept here', async () => {
    const server = await serve(sends(CONTENT));
    const folder = await temporaryFolder();
    await mkdir(join(folder, `${refOf(CONTENT).sha256}.part`));
    await expect(fetched(server.url, { folder })).rejects.toThrow('EISDIR');
    expect(await readdir(folder)).toEqual([]);
    expect(await fetched(server.url, { folder })).toBe(true);
  });

  test.prop(
    {
      cuts: fc.array(fc.tuple(fc.boolean(), fc.boolean(), fc.integer({ min: 0, max: 220_000 })), { maxLength: 8 }),
    },
    { numRuns: 25 },
  )('is the right one, or none, whatever servers do', async ({ cuts }) => {
    const answers = cuts.map(([isWrong, hasTag, bytes]) =>
      breaksOff(isWrong ? OTHER : CONTENT, bytes, hasTag ? '"same"' : undefined),
    );
    const server = await serve(...answers, sends(CONTENT));
    const found = await fetched(server.url, { sources: [plain(server.url), plain(server.url)] }).catch(
      (error: unknown) => error,
    );
    if (found !== true) expect(found).toBeInstanceOf(ArtifactError);
    if (cuts.length < 3) expect(found).toBe(true);
  });
});
