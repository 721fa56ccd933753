import { execFileSync } from 'node:child_process';

/**
 * What some faults need of the machine, tried out: namespaces with links that can be made slow, mounts, a skewed clock.
 * Each line undoes what it did.
 */
const NEEDED: Record<string, string> = {
  'a network namespace (ip, of iproute2)': `
    ip netns add kvitt-probe-$$ && ip netns exec kvitt-probe-$$ true; ok=$?; ip netns del kvitt-probe-$$; exit $ok`,
  'a bridge and a slow link (ip and tc, of iproute2)': `
    ip link add kvp$$ type bridge && tc qdisc add dev kvp$$ root tbf rate 1mbit burst 32kbit latency 1ms; ok=$?
    ip link del kvp$$; exit $ok`,
  'a disk of a small size (mount)': `
    at=$(mktemp -d) && mount -t tmpfs -o size=1m tmpfs "$at" && umount "$at"; ok=$?; rmdir "$at"; exit $ok`,
  'a clock that is off (faketime)': 'faketime -f +60s true',
};

/**
 * Can this machine do what partitions, full disks and wrong clocks need? It takes Linux, root and two packages. Where it
 * cannot, these tests are skipped, with the reason on the screen; `ALL_FAULTS=1` runs them all the same.
 */
export const canInjectAll = process.env.ALL_FAULTS === '1' || isAble();

function isAble(): boolean {
  for (const [need, attempt] of Object.entries(NEEDED)) {
    try {
      execFileSync('sh', ['-c', attempt], { stdio: 'ignore', timeout: 10_000 });
    } catch {
      console.warn(`partitions, full disks and wrong clocks are not tested here: this machine cannot do ${need}`);
      return false;
    }
  }
  return true;
}
