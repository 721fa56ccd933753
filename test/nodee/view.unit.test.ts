import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { fleetState } from '../../src/nodee/fleet.ts';
import { harmless } from '../../src/nodee/tool-logs.ts';
import type { HostSeen } from '../../src/nodee/types.ts';
import { fleetText, fleetView } from '../../src/nodee/view.ts';
import { REPORT } from './support/api.ts';

const NOW = Date.parse(REPORT.at);
const HOST: HostSeen = {
  ...{ coordinate: '0.nodee.pay.oslo', address: 'http://127.0.0.1:7070', report: REPORT, configVersion: 0 },
  desired: { generation: 3, processes: [] },
};
const applied = { generation: 3, applied_by: 'ann', applied_at: REPORT.at, drained: ['alpha'] };

function shown(pending: Record<string, string>, more: object = {}) {
  const state = fleetState.parse({ ...applied, ...more });
  const leader = '0.nodee.pay.oslo leads; waits';
  const view = fleetView([HOST], { state, leader, pending: new Map(Object.entries(pending)) }, NOW);
  return { view, text: fleetText(view, NOW) };
}

describe('the status of a fleet', () => {
  it('is not as wanted while an instance has no host, and says why', () => {
    const { view, text } = shown({ '0.web.pay.oslo': 'no host may run it' });
    expect(view.as_wanted).toBe(false);
    expect(text).toContain('* 0.web.pay.oslo: no host may run it\n');
    expect(shown({}).view.as_wanted).toBe(true);
  });

  it('says who applied it, who leads it, and which hosts are drained', () => {
    const { text } = shown({});
    expect(text).toContain('Fleet 3, applied by ann 0s ago; 0.nodee.pay.oslo leads\n');
    expect(text).toMatch(/alpha +0\.nodee\.pay\.oslo +up, drained /);
  });

  it('tells of changes that were taken back, in lines that fit', () => {
    const why = `0.web.pay.oslo: \x1b[2J${'it is long '.repeat(40)}`;
    const { text } = shown({}, { outcomes: { web: { generation: 2, result: 'rolled_back', why, at: REPORT.at } } });
    expect(text).toContain('web was rolled back at');
    expect(text.split('\n').filter((line) => line.length > 120)).toEqual([]);
    expect(text).not.toContain('\x1b');
  });

  it('says what to do next when there is nothing', () => {
    expect(fleetText(fleetView([], null, NOW), NOW)).toContain('start one with `kvitt nodee agent`');
    expect(fleetText(fleetView([HOST], null, NOW), NOW)).toContain('kvitt nodee apply <file>');
  });
});

describe('a line of a log on a terminal', () => {
  it('has its tabs and colours, and nothing that commands the terminal', () => {
    expect(harmless('\x1b[31mred\x1b[0m\tend')).toBe('\x1b[31mred\x1b[0m\tend\x1b[0m');
    expect(harmless('\x1b]0;owned\x07 \x1b[2J\x1b[5A\r\u009b31m')).toBe('?]0;owned? ?[2J?[5A??31m');
  });
});

it('the page about Nodee names no script that there is not', async () => {
  const [page, manifest] = await Promise.all(['docs/nodee.md', 'package.json'].map((file) => readFile(file, 'utf8')));
  const { scripts } = JSON.parse(manifest!) as { scripts: Record<string, string> };
  const named = [...page!.matchAll(/npm run ([\w:-]+)/g)].map(([, name]) => name!);
  expect(named).toContain('release');
  expect(named.filter((name) => scripts[name] === undefined)).toEqual([]);
});
