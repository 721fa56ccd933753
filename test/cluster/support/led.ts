import type { Cloudname } from '../../../src/cloudname/cloudname.ts';
import { until } from '../../cloudname/support/namespace.ts';

const LED_MS_MAX = 60_000;

/** How many books each instance leads, by instance. */
async function ledBy(cloudname: Cloudname): Promise<Record<string, number>> {
  const found = await cloudname.resolver.resolve('internal.all.book.pay.test').catch(() => []);
  const counts: Record<string, number> = {};
  for (const { endpointData } of found) counts[endpointData!] = (counts[endpointData!] ?? 0) + 1;
  return counts;
}

/** Resolves when so many instances lead all books between them, each as many as the others. */
export async function evenlyLed(
  cloudname: Cloudname,
  { instances, books }: { instances: number; books: number },
): Promise<void> {
  await until(
    () => ledBy(cloudname),
    (led) => {
      const counts = Object.values(led);
      return counts.length === instances && counts.every((count) => count === books / instances);
    },
    LED_MS_MAX,
  );
}
