export function renderReconciliation(..._: unknown[]): string {
  return 'todo';
}
