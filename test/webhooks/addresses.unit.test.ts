import { describe, expect, it } from 'vitest';
import { isPublic, publicAddresses, RefusedAddressError } from '../../src/webhooks/addresses.ts';
import { Poster } from '../../src/webhooks/post.ts';

describe('an address that webhooks may be posted to', () => {
  it.each(['93.184.215.14', '8.8.8.8', '2606:2800:21f:cb07:6820:80da:af6b:8b2c', '::ffff:8.8.8.8'])(
    'is %s',
    (address) => expect(isPublic(address)).toBe(true),
  );

  it.each([
    '127.0.0.1',
    '127.255.255.254',
    '0.0.0.0',
    '10.1.2.3',
    '172.16.0.1',
    '172.31.255.255',
    '192.168.1.1',
    '169.254.169.254',
    '100.64.0.1',
    '198.18.0.1',
    '192.0.0.1',
    '192.0.2.1',
    '203.0.113.9',
    '224.0.0.1',
    '240.0.0.1',
    '255.255.255.255',
    '::',
    '::1',
    '::ffff:127.0.0.1',
    '::ffff:10.0.0.1',
    '::127.0.0.1',
    '64:ff9b::7f00:1',
    '64:ff9b:1::7f00:1',
    '2002:7f00:1::',
    '2001:0:7f00:1::',
    'fe80::1',
    'fe80::1%eth0',
    'fc00::1',
    'fd12:3456:789a::1',
    'ff02::1',
    '2001:db8::1',
    '3fff::1',
    'fec0::1',
    '4000::1',
    '100:0:0:1::1',
    '5f00::1',
    '::ffff:0:127.0.0.1',
    '168.63.129.16',
    '::ffff:168.63.129.16',
    'no address',
    '',
  ])('is not %s', (address) => expect(isPublic(address)).toBe(false));

  it('is not what a name stands for that is of this machine', async () => {
    await expect(publicAddresses('localhost')).rejects.toThrow(RefusedAddressError);
  });
});

describe('a post', () => {
  // A URL has many ways to write an address; all of them end at the same one.
  it.each([
    'http://127.0.0.1:9/',
    'http://127.1:9/',
    'http://2130706433:9/',
    'http://0x7f000001:9/',
    'http://0177.0.0.1:9/',
    'http://[::1]:9/',
    'http://[::ffff:127.0.0.1]:9/',
    'http://localhost:9/',
  ])('to %s is refused before anything is connected to', async (url) => {
    const poster = new Poster(false);
    const posted = await poster.post(url, '{}', {});
    await poster.close();
    expect(posted.status).toBeNull();
    expect(posted.result).toMatch(/no public address/);
  });
});
