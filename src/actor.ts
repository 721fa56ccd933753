import { hostname, userInfo } from 'node:os';

/** Who runs this process, for the audit log: `user@host`. */
export function actor(): string {
  return `${user()}@${hostname()}`;
}

function user(): string {
  try {
    return userInfo().username;
  } catch {
    // In a container a user may have a number only.
    return `uid ${process.getuid?.() ?? 'unknown'}`;
  }
}
