import { once } from 'node:events';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createGzip, constants as zlib } from 'node:zlib';
import { type Collection, type Db, GridFSBucket, type ObjectId } from 'mongodb';
import type { StatementFiles, StatementFileWriter } from '../reconciliation/ports.ts';

const BUCKET = 'statement_files';
const CHUNK_BYTES = 1_048_576;
const LOOKED_AT_MAX = 10_000;

/** Statements as they came, compressed, in GridFS. The id of a file is that of its reconciliation. */
export class MongoStatementFiles implements StatementFiles {
  readonly #bucket: GridFSBucket;
  readonly #chunks: Collection<{ files_id: string }>;

  constructor(readonly db: Db) {
    this.#bucket = new GridFSBucket(db, { bucketName: BUCKET, chunkSizeBytes: CHUNK_BYTES });
    this.#chunks = db.collection(`${BUCKET}.chunks`);
  }

  open(id: string): StatementFileWriter {
    const zip = createGzip({ level: zlib.Z_BEST_SPEED });
    const upload = this.#bucket.openUploadStreamWithId(keyOf(id), id);
    const written = pipeline(zip, upload);
    // Told to whoever writes or finishes.
    written.catch(() => undefined);
    return {
      write: async (chunk) => {
        if (upload.errored) await written;
        if (!zip.write(chunk)) await Promise.race([once(zip, 'drain'), written]);
      },
      finish: async () => {
        zip.end();
        await written;
      },
      abort: async () => {
        zip.destroy();
        await written.catch(() => undefined);
        await this.remove(id);
      },
    };
  }

  async *read(id: string): AsyncIterable<Uint8Array> {
    const unzip = createGunzip();
    const download = this.#bucket.openDownloadStream(keyOf(id));
    const piped = pipeline(download, unzip);
    piped.catch(() => undefined);
    yield* unzip as AsyncIterable<Uint8Array>;
    await piped;
  }

  async remove(id: string): Promise<void> {
    await this.db.collection<{ _id: string }>(`${BUCKET}.files`).deleteOne({ _id: id });
    await this.#chunks.deleteMany({ files_id: id });
  }

  async removeOrphans(before: Date, isKnown: (id: string) => Promise<boolean>): Promise<number> {
    const ids = (await this.#chunks.distinct('files_id')) as string[];
    let removed = 0;
    // The latest: those before them were looked at when they were the latest.
    const old = ids.filter((id) => !(beganAt(id) >= before.getTime())).sort();
    for (const id of old.slice(-LOOKED_AT_MAX)) {
      if (await isKnown(id)) continue;
      await this.remove(id);
      removed++;
    }
    return removed;
  }
}

/** GridFS takes any id; its types know only the usual one. */
function keyOf(id: string): ObjectId {
  return id as unknown as ObjectId;
}

/** A UUIDv7 says when it was made. */
function beganAt(id: string): number {
  return Number.parseInt(id.replace('rec_', '').replaceAll('-', '').slice(0, 12), 16);
}
