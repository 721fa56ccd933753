import { describe, expect, it } from 'vitest';
import { renderReconciliation } from '../../src/reconciliation/report-text.ts';
import { breakOf, causes, external, ID, reconciliation, rules, verified } from './report-scene.ts';

describe('the result of a reconciliation for a terminal', () => {
  it('has the verification, the statement, what was opened and what is open, and says last whether all is well', () => {
    const text = renderReconciliation(reconciliation({ external: external({ breaksResolved: 4 }) }), [breakOf()]);
    expect(text).toMatch(/^Ledger: verified, nothing broken\n/);
    expect(text).toContain(
      'Statement of main-bank: november.xml (camt053), 3 lines, 2026-11-25 to 2026-11-26\n' +
        '\nmatched lines 2 of 3, items 2 of 3; breaks opened 1, settled 4\n',
    );
    expect(text).toMatch(/^reference +2$/m);
    expect(text).toMatch(/^EUR +1234560\.49 +1234560\.50 +-0\.01 +1234550\.00$/m);
    expect(text).toMatch(/^line +cause +reference +ledger id +message$/m);
    expect(text).toMatch(/amount_differs +INV-1 .*10\.49 EUR.*10\.50 EUR/);
    expect(text).toMatch(/^amount_differs +1$/m);
    expect(text.endsWith(`\n\nNOT reconciled: ${ID}\n`)).toBe(true);
  });

  it('shows the first fifty breaks, and how many more there are', () => {
    const opened = Array.from({ length: 60 }, (_, at) => breakOf({ position: at + 1, reference: `R-${at + 1}` }));
    const text = renderReconciliation(reconciliation({ external: external({ breaksOpened: 70 }) }), opened);
    expect(text).toContain('R-50 ');
    expect(text).not.toContain('R-51');
    expect(text).toContain('… and 20 more breaks; --json lists them\n');
  });

  it('is short where all is well', () => {
    const nothing = { breaksOpened: 0, openedByCause: causes(), open: causes(), byRule: rules({ reference: 3 }) };
    const text = renderReconciliation(reconciliation({ ok: true, external: external(nothing) }), []);
    expect(text).not.toMatch(/cause|open of this source/);
    expect(text.endsWith(`\nReconciled: ${ID}\n`)).toBe(true);
  });

  it('has only the verification where there is no statement', () => {
    const text = renderReconciliation(
      reconciliation({ kind: 'internal', file: null, config: null, external: null, ok: true, internal: verified() }),
      [],
    );
    expect(text).not.toContain('Statement');
    expect(text.endsWith(`\nReconciled: ${ID}\n`)).toBe(true);
  });

  it('says why it failed, that it still runs, and that it was a dry run', () => {
    const failed = reconciliation({
      status: 'failed',
      ok: null,
      external: null,
      internal: null,
      failure: 'it\ncould not',
    });
    expect(renderReconciliation(failed, [])).toMatch(new RegExp(`\nReconciliation ${ID} failed: it\\?could not\n$`));
    const running = reconciliation({ status: 'running', step: 'match', ok: null, external: null });
    expect(renderReconciliation(running, [])).toMatch(new RegExp(`\nReconciliation ${ID} is running: match\n$`));
    expect(renderReconciliation(reconciliation({ dryRun: true }), [])).toContain('\nDry run: nothing of it is kept\n');
  });

  it('does not let a file command the terminal', () => {
    const text = renderReconciliation(reconciliation(), [
      breakOf({ reference: 'a\u001b[31mb\u202ec', message: 'm\rn' }),
    ]);
    expect(text).toContain('a?[31mb?c');
    expect(text).toContain('m?n');
  });
});
