/** How much memory a command takes beside what it has in use. To be called before it takes any. */
import { setFlagsFromString } from 'node:v8';

const GROWING_PERCENT = 30;

/** A heap of which little is in use grows to several times of that before it is collected, unless told otherwise. */
export function growHeapSlowly(): void {
  setFlagsFromString(`--heap-growing-percent=${GROWING_PERCENT}`);
}

/** For what reads the whole ledger: what it keeps are columns, which stand beside the heap; the rest is soon forgotten. */
export function keepHeapSmall(): void {
  growHeapSlowly();
  setFlagsFromString('--semi-space-growth-factor=1');
}
