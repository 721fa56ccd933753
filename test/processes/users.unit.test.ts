import { describe, expect, it } from 'vitest';
import { resolveUser } from '../../src/processes/users.ts';

const PASSWD = [
  ...['# comment', 'root:x:0:0:root:/root:/bin/sh', 'broken', 'half:x:', 'odd:x:-1:5::/:', 'toor:x:0:0::/:', '+::::::'],
  ...['web:x:2000:2001::/:/bin/false', 'web:x:1:1::/:', 'agent:x:1000:1000::/:', ''],
].join('\n');
const root = { uid: 0, mayRunAsRoot: false };

describe('the user of a process', () => {
  it('is found by name or number, with its group', () => {
    expect(resolveUser('web', PASSWD, root)).toEqual({ uid: 2000, gid: 2001 });
    expect(resolveUser(2000, PASSWD, root)).toEqual({ uid: 2000, gid: 2001 });
  });

  it.each([
    ['none', null],
    ['root', 'root'],
    ['root by another name', 'toor'],
    ['root by its number', 0],
    ['one that is not there', 'nobody'],
    ['one whose number is not there', 4_000],
    ['one that is broken', 'broken'],
    ['one that is half there', 'half'],
    ['one without a right number', 'odd'],
  ])('is refused by an agent that is root when it is %s', (_, user) => {
    expect(() => resolveUser(user, PASSWD, root)).toThrow(/root|not in \/etc\/passwd/);
  });

  it('may be root where that is allowed', () => {
    const allowed = { uid: 0, mayRunAsRoot: true };
    expect(resolveUser(null, PASSWD, allowed)).toBeNull();
    expect(resolveUser('root', PASSWD, allowed)).toBeNull();
  });

  it('is the agent itself, and nobody else, when that is not root', () => {
    const agent = { uid: 1000, mayRunAsRoot: false };
    expect(resolveUser(null, PASSWD, agent)).toBeNull();
    expect(resolveUser('agent', PASSWD, agent)).toBeNull();
    expect(() => resolveUser('web', PASSWD, agent)).toThrow(/only an agent that is root/);
  });
});
