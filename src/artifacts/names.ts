/** Which names an archive may give to what it holds. */
import { ArtifactError } from './artifact.ts';

const COMPONENT_BYTES_MAX = 255;
const PATH_BYTES_MAX = 1024;
const SHOWN_CHARACTERS_MAX = 200;

/**
 * The path of an entry, relative to the artifact's folder and without a `/` at its end; empty for that folder itself. A
 * path that is returned stays below the folder into which it is joined.
 *
 * @throws ArtifactError `unacceptable`
 */
export function checkedPath(name: string): string {
  // `tar -C folder .` writes each name with ./ before it.
  const path = name.replace(/^\.\/+/, '').replace(/\/$/, '');
  if (path === '' && name.startsWith('./')) return '';
  if (path === '.') return '';
  const why = refusal(path);
  if (why !== null) throw refusedEntry(name, why);
  return path;
}

/** An entry that makes the whole archive unacceptable. */
export function refusedEntry(name: string, why: string): ArtifactError {
  return new ArtifactError('unacceptable', `the archive is refused: ${shown(name)} ${why}`);
}

function refusal(path: string): string | null {
  if (path === '') return 'is an empty name';
  if (Buffer.byteLength(path) > PATH_BYTES_MAX) return `has a path of more than ${PATH_BYTES_MAX} bytes`;
  if ([...path].some(isControl)) return 'has a control character in its name';
  // What decoders put in place of bytes that are no UTF-8: two names could become one.
  if (path.includes('\uFFFD')) return 'has a name that is not UTF-8';
  if (path.includes('\\')) return 'has a backslash in its name';
  if (path.startsWith('/')) return 'is an absolute path';
  if (/^[A-Za-z]:/.test(path)) return 'has a drive letter';
  for (const component of path.split('/')) {
    if (component === '..') return 'leads out of the archive with ..';
    if (component === '' || component === '.') return 'has an empty part in its path';
    if (Buffer.byteLength(component) > COMPONENT_BYTES_MAX) {
      return `has a part of more than ${COMPONENT_BYTES_MAX} bytes in its path`;
    }
  }
  return null;
}

function isControl(character: string): boolean {
  const code = character.codePointAt(0)!;
  return code < 0x20 || (code >= 0x7f && code < 0xa0);
}

/** For a message: nothing in it can act on a terminal, and it is short. */
function shown(name: string): string {
  return JSON.stringify(name.slice(0, SHOWN_CHARACTERS_MAX)).replace(/[\u007f-\u009f]/g, '?');
}
