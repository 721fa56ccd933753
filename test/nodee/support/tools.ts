/** Stands in for what packs and signs artifacts. */
import { createHash, createPrivateKey, sign } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { signedText } from '../../../src/artifacts/artifact.ts';
import type { ArtifactTools } from '../../../src/nodee/tool-parts.ts';

export const artifactTools: ArtifactTools = {
  pack: async (folder, file, id) => {
    const data = `an archive of ${folder}`;
    await writeFile(file, data);
    return { ref: { id, sha256: createHash('sha256').update(data).digest('hex') }, leftOut: [] };
  },
  readPrivateKey: (pem) => createPrivateKey(pem),
  sign: (key, ref) => sign(null, Buffer.from(signedText(ref)), key).toString('base64'),
};
