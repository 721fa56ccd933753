/** The parts of the report that say what was compared, what it comes to, and that the books are sound. */
import { html, type Markup, scrolled } from '../html/markup.ts';
import { counted, plural, timeText } from '../html/words.ts';
import type { CurrencyTotals } from '../matching/comparison.ts';
import { dayText } from '../statements/statement.ts';
import type { StatementInfo } from '../statements/types.ts';
import type { VerifyReport } from '../verification/verify.ts';
import { moneyText, moneyWithCurrency, verdictOf } from './report-words.ts';
import type { Reconciliation, StatementFile } from './types.ts';

/** Statements of the file, and broken invariants, that are listed. */
const LISTED_MAX = 100;
const MARKS = { good: '✓', bad: '✗', unknown: '…' } as const;

/** `now`: what became of it since; null: nothing can have. */
export function verdictSection(reconciliation: Reconciliation, now: string | null): Markup {
  const { dryRun, status, kind } = reconciliation;
  const { tone, word, sentence } = verdictOf(reconciliation);
  const isPartial = status !== 'succeeded' && kind === 'statement';
  return html`<div class="verdict ${tone}"><span class="mark" aria-hidden="true">${MARKS[tone]}</span><div><p><b>${word}.</b> ${sentence}</p>${now && html`<p class="now">${now}</p>`}</div></div>
${dryRun && html`<p class="notice"><b>Dry run.</b> It shows what a reconciliation would find. No match and no break of it is kept, and nobody has to work on anything because of it.</p>`}
${isPartial && html`<p class="notice"><b>Not a result.</b> Whatever is listed below was kept before ${status === 'failed' ? 'it failed' : 'this report was made'}, and may be a part only.</p>`}
`;
}

export function subjectSection({ config, file, external, ...run }: Reconciliation): Markup {
  const { id, source, kind, startedBy, startedAt, finishedAt, attempts } = run;
  const carried = external === null || file === null ? 0 : external.lines - file.lines;
  const compared = config && {
    period: `${dayText(config.from)} to ${dayText(config.to)}`,
    how: `dates up to ${plural(config.windowDays, 'day')} apart; the last ${plural(config.timingDays, 'day')} may come with the next statement`,
    account: config.account ?? 'all payments',
  };
  return html`<section id="subject" aria-labelledby="subject-title"><h2 id="subject-title">${kind === 'internal' ? 'What was verified' : 'What was compared'}</h2>
<dl>
<dt>Reconciliation</dt><dd><code>${id}</code></dd>
<dt>Source</dt><dd>${source}</dd>
<dt>Started</dt><dd>${timeText(startedAt)} by ${startedBy}</dd>
<dt>Finished</dt><dd>${finishedAt === null ? 'not yet' : timeText(finishedAt)}${attempts > 1 && `, at attempt ${attempts}`}</dd>
${compared && html`<dt>Period</dt><dd>${compared.period}</dd><dt>In the ledger</dt><dd>${compared.account}<small>${compared.how}</small></dd>`}
${file === null ? html`<dt>Statement</dt><dd>none: the ledger was verified against itself</dd>` : fileEntries(file)}
${carried > 0 && html`<dt>And</dt><dd>${plural(carried, 'line')} of earlier statements, still open until then</dd>`}
</dl>
${file !== null && statementsTable(file.statements)}
</section>
`;
}

function fileEntries({ name, format, bytes, lines, sha256 }: StatementFile): Markup {
  return html`<dt>File</dt><dd>${name ?? 'without a name'}<small>${format}, ${plural(bytes, 'byte')}, ${plural(lines, 'line')}</small></dd>
<dt>SHA-256 of the file</dt><dd><code class="hash">${sha256}</code></dd>`;
}

function statementsTable(statements: readonly StatementInfo[]): Markup | null {
  if (statements.length === 0) return null;
  const balance = (amount: bigint | null, currency: string | null) =>
    amount === null || currency === null ? 'not said' : moneyWithCurrency(amount, currency);
  const rows = statements.slice(0, LISTED_MAX).map(({ id, account, currency, from, to, opening, closing, lines }) => {
    const moved = opening === null || closing === null ? null : closing - opening;
    return html`<tr><th scope="row" class="text">${id ?? 'without a number'}</th><td class="text">${account ?? 'not said'}</td><td class="nowrap">${from === null ? '–' : `${dayText(from)} to ${dayText(to ?? from)}`}</td><td class="number">${balance(opening, currency)}</td><td class="number">${balance(closing, currency)}</td><td class="number">${balance(moved, currency)}</td><td class="number">${counted(lines)}</td></tr>
`;
  });
  const left = statements.length - rows.length;
  return html`<h3>Statements in the file</h3>
${scrolled(
  'Statements in the file',
  html`<table><thead><tr><th scope="col">Statement</th><th scope="col">Account</th><th scope="col">Period</th><th scope="col" class="number">Opening balance</th><th scope="col" class="number">Closing balance</th><th scope="col" class="number">Change</th><th scope="col" class="number">Lines</th></tr></thead><tbody>${rows}</tbody></table>`,
)}${left > 0 && html`<p class="soft">And ${plural(left, 'more statement')}.</p>`}`;
}

export function totalsSection(totals: readonly CurrencyTotals[]): Markup {
  const rows = totals.map(({ currency, statement, ledger, matched }) => {
    const cells = [statement, ledger, statement - ledger, matched];
    return html`<tr><th scope="row">${currency}</th>${cells.map((amount) => html`<td class="number">${moneyText(amount, currency)}</td>`)}</tr>
`;
  });
  const table = html`<table><thead><tr><th scope="col">Currency</th><th scope="col" class="number">Statement</th><th scope="col" class="number">Ledger</th><th scope="col" class="number">Difference</th><th scope="col" class="number">Matched</th></tr></thead><tbody>${rows}</tbody></table>`;
  return html`<section id="totals" aria-labelledby="totals-title"><h2 id="totals-title">Totals by currency</h2>
${totals.length === 0 ? html`<p>Nothing was compared: there are no amounts.</p>` : scrolled('Totals by currency', table)}
${totals.length > 0 && html`<p class="soft">Money in and money out are added up without signs. The difference is the statement less the ledger; fees are not taken off.</p>`}</section>
`;
}

export function verificationSection(internal: VerifyReport | null): Markup {
  return html`<section id="books" aria-labelledby="books-title"><h2 id="books-title">The books</h2>
${internal === null ? html`<p>The ledger was not verified.</p>` : verified(internal)}</section>
`;
}

function verified({
  ok,
  books,
  accounts,
  claims,
  pending,
  trialBalance,
  breaks,
  breakCount,
  durationMs,
  since,
}: VerifyReport) {
  const entries = books.reduce((sum, book) => sum + book.entries, 0);
  const found = ok
    ? 'and no invariant is broken'
    : `and ${plural(breakCount, 'invariant is', 'invariants are')} broken`;
  const bookRows = books.map(
    ({ book, height, entries: count, postings, hash }) =>
      html`<tr><th scope="row">${book}</th><td class="number">${counted(height)}</td><td class="number">${counted(count)}</td><td class="number">${counted(postings)}</td><td><code class="hash">${hash ?? 'cannot be read'}</code></td></tr>
`,
  );
  const balanceRows = (trialBalance ?? []).map(({ currency, accounts: count, debit, credit, sum }) => {
    const cells = [debit, credit, sum];
    return html`<tr><th scope="row">${currency}</th><td class="number">${counted(count)}</td>${cells.map((amount) => html`<td class="number">${moneyText(amount, currency)}</td>`)}<td>${sum === 0n ? 'balanced' : 'NOT balanced'}</td></tr>
`;
  });
  return html`<p>${plural(entries, 'entry', 'entries')} in ${plural(books.length, 'book')} and ${plural(accounts, 'account')} were verified in ${(durationMs / 1000).toFixed(1)} s, ${found}. ${plural(claims, 'command')} looked at, ${counted(pending)} of them still under way.${since && html` What stood before ${timeText(since)} was verified then, and only what is new was looked at.`}</p>
${breakCount > 0 && html`<h3>Broken invariants</h3>${brokenTable(breaks, breakCount)}`}
${
  trialBalance !== null &&
  html`<h3>Trial balance</h3>
${scrolled('Trial balance', html`<table><thead><tr><th scope="col">Currency</th><th scope="col" class="number">Accounts</th><th scope="col" class="number">Debit</th><th scope="col" class="number">Credit</th><th scope="col" class="number">Sum</th><th scope="col">Result</th></tr></thead><tbody>${balanceRows}</tbody></table>`)}`
}
<h3>Books</h3>
${scrolled('Books', html`<table><caption>Write the hash of the highest block down: it vouches for all below.</caption><thead><tr><th scope="col">Book</th><th scope="col" class="number">Height</th><th scope="col" class="number">Entries</th><th scope="col" class="number">Postings</th><th scope="col">Hash</th></tr></thead><tbody>${bookRows}</tbody></table>`)}`;
}

function brokenTable(breaks: VerifyReport['breaks'], count: number): Markup {
  const rows = breaks.slice(0, LISTED_MAX).map(({ kind, book, height, message, expected, actual }) => {
    const sides = expected === null ? null : html`<small>expected ${expected}, found ${actual ?? 'nothing'}</small>`;
    return html`<tr><th scope="row"><code>${kind}</code></th><td class="number">${book ?? '–'}</td><td class="number">${height === null ? '–' : counted(height)}</td><td class="text">${message}${sides}</td></tr>
`;
  });
  const left = count - rows.length;
  return html`${scrolled('Broken invariants', html`<table><thead><tr><th scope="col">Invariant</th><th scope="col" class="number">Book</th><th scope="col" class="number">Height</th><th scope="col">What is wrong</th></tr></thead><tbody>${rows}</tbody></table>`)}${left > 0 && html`<p class="soft">And ${counted(left)} more; the report as JSON lists those that were kept.</p>`}`;
}
