import { expect, test } from 'vitest';
import { traceParentOf } from '../../src/queue/trace-header.ts';

const ROOT = 'Root=1-5759e988-bd862e3fe1be46a994272793';
const PARENT = 'Parent=53995c3f42cd8ad8';
const TRACE = '00-5759e988bd862e3fe1be46a994272793-53995c3f42cd8ad8';

test.each([
  [`${ROOT};${PARENT};Sampled=1`, `${TRACE}-01`],
  [`${ROOT}; ${PARENT}; Sampled=0`, `${TRACE}-00`],
  [`Self=1-00000000-000000000000000000000000;${PARENT};${ROOT};Lineage=a:1`, `${TRACE}-00`],
  [ROOT, undefined],
  [`${PARENT};Sampled=1`, undefined],
  ['Root=1-5759e988-xyz;Parent=53995c3f42cd8ad8', undefined],
  ['', undefined],
  [undefined, undefined],
])('the X-Ray header %j names the parent %j', (header, traceparent) => {
  expect(traceParentOf(header)).toBe(traceparent);
});
