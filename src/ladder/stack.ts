/** Where the time of a call goes, from the medians of each layer alone. */
import type { LayerResult, StackStep } from './result.ts';

/** What each step is, and its part of a call's time from the medians of layers; null: a layer was not measured. */
type Part = (p50: (layer: LayerResult['layer'], name?: string) => number | null) => number | null;

/**
 * Layer upon layer; the last step is all that no layer alone accounts for: waiting for cores that the others have. `balancer`
 * null: calls went past any. A step whose layers could not keep up is left out.
 */
export function stackOf(layers: readonly LayerResult[], balancer: string | null): StackStep[] {
  const p50 = (layer: LayerResult['layer'], name?: string) => {
    return (
      layers.find((one) => one.layer === layer && (name === undefined || one.name === name))?.latencyMs?.p50 ?? null
    );
  };
  const steps: StackStep[] = [];
  let totalMs = 0;
  for (const [name, part] of partsWith(balancer)) {
    const addedMs = part(p50);
    if (addedMs === null) continue;
    totalMs += Math.max(0, addedMs);
    steps.push({ name, totalMs, addedMs: Math.max(0, addedMs) });
  }
  const all = p50('all');
  if (all !== null) steps.push({ name: 'together', totalMs: all, addedMs: Math.max(0, all - totalMs) });
  return steps;
}

function partsWith(balancer: string | null): (readonly [name: string, part: Part])[] {
  return [
    ['socket', (p50) => p50('socket')],
    ['HTTP', (p50) => difference(p50('http'), p50('socket'))],
    ['validation', (p50) => difference(p50('validation'), p50('http'))],
    ...(balancer === null
      ? []
      : [[balancer, (p50) => difference(p50('balancer', balancer), p50('http'))] as [string, Part]]),
    ['MongoDB', (p50) => p50('database')],
    ['engine', (p50) => difference(p50('engine'), p50('database'))],
  ];
}

function difference(of: number | null, below: number | null): number | null {
  return of === null || below === null ? null : of - below;
}
