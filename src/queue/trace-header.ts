const ROOT = /(?:^|;)\s*Root=1-([0-9a-f]{8})-([0-9a-f]{24})(?:;|$)/;
const PARENT = /(?:^|;)\s*Parent=([0-9a-f]{16})(?:;|$)/;
const SAMPLED = /(?:^|;)\s*Sampled=1(?:;|$)/;

/**
 * The `traceparent` that says what an X-Ray header says (`Root=1-5759e988-bd86…;Parent=5399…;Sampled=1`). Undefined when
 * it names no trace and parent.
 */
export function traceParentOf(header: string | undefined): string | undefined {
  if (header === undefined) return undefined;
  const [root, parent] = [ROOT.exec(header), PARENT.exec(header)];
  if (root === null || parent === null) return undefined;
  return `00-${root[1]}${root[2]}-${parent[1]}-${SAMPLED.test(header) ? '01' : '00'}`;
}
