/** Which addresses webhooks may be posted to: a service that posts wherever it is told must not be told its own network. */
import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';

/** All that is given out of IPv6. The rest is nobody's, or carries an IPv4 address of any kind in it. */
const GIVEN_OUT = ipaddr.parseCIDR('2000::/3');
/** Looks public, and is the host's own service inside machines of Azure. */
const OF_THE_HOST = '168.63.129.16';

/** May it be reached over the internet, and is of nobody's private network? All but plain unicast is refused. */
export function isPublic(address: string): boolean {
  if (!ipaddr.isValid(address)) return false;
  // An IPv4 address that is written as an IPv6 one is taken for what it is.
  const parsed = ipaddr.process(address);
  if (parsed.kind() === 'ipv6' && !parsed.match(GIVEN_OUT)) return false;
  return parsed.range() === 'unicast' && parsed.toString() !== OF_THE_HOST;
}

export class RefusedAddressError extends Error {
  override readonly name = 'RefusedAddressError';
}

interface Address {
  readonly address: string;
  readonly family: number;
}

/**
 * The addresses of a host. All of them must be public: of a name with a public and a private one nobody knows which is
 * meant. Rejects with {@link RefusedAddressError}, and with what the resolver throws.
 */
export async function publicAddresses(host: string): Promise<Address[]> {
  const bare = withoutBrackets(host);
  const found = isIP(bare) ? [{ address: bare, family: isIP(bare) }] : await lookup(bare, { all: true });
  const refused = found.find(({ address }) => !isPublic(address));
  if (refused) throw new RefusedAddressError(`${host} is at ${refused.address}, which is no public address`);
  return found;
}

/** Null when it is a name, whose addresses are another matter. */
export function literalAddress(host: string): string | null {
  const bare = withoutBrackets(host);
  return isIP(bare) ? bare : null;
}

function withoutBrackets(host: string): string {
  return host.replace(/^\[(.*)\]$/, '$1');
}
