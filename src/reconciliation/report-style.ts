/** Looks of the report beyond what documents have in common, and the little that moves in it. */
import { BASE_STYLE } from '../html/style.ts';

export const STYLE = `${BASE_STYLE}.glossary { grid-template-columns: minmax(9rem, 18rem) 1fr; }
.glossary dt { color: var(--ink); font-weight: 600; }
.text { overflow-wrap: anywhere; min-width: 7rem; } .reference { min-width: 17rem; } .cause { min-width: 6.5rem; }
table[data-tools] :is(th, td) { padding-inline: .45rem; }
svg .matched { fill: var(--accent); } svg .track { fill: var(--line); }
svg .unmatched { fill: url(#hatch); stroke: var(--alert); stroke-width: 1; }
svg .hatch { stroke: var(--alert); stroke-width: 2.5; } svg .hatch-back { fill: var(--card); }
svg .trend { fill: none; stroke: var(--accent); stroke-width: 2; }
svg .point { fill: var(--card); stroke: var(--accent); stroke-width: 2; } svg .this { fill: var(--accent); }
.heat td { text-align: right; font-variant-numeric: tabular-nums; }
.heat tbody tr { background: none; }
.heat .h1 { background: rgb(var(--accent-rgb) / .10); } .heat .h2 { background: rgb(var(--accent-rgb) / .22); }
.heat .h3 { background: rgb(var(--accent-rgb) / .36); } .heat .h4 { background: rgb(var(--accent-rgb) / .50); font-weight: 700; }
.heat .none { color: var(--soft); }
.heat tfoot td, .heat tfoot th { border-bottom: 0; font-weight: 600; }
.tools { margin: 0 0 .75rem; font-size: .875rem; }
.tools input { font: inherit; color: inherit; background: var(--page); border: 1px solid var(--soft); border-radius: 4px;
  padding: .3rem .5rem; width: 20rem; max-width: 100%; margin-left: .4rem; }
th button { font: inherit; color: inherit; background: none; border: 0; padding: 0; text-align: inherit; cursor: pointer; }
th button:hover, th button:focus-visible { color: var(--ink); text-decoration: underline; }
th[aria-sort="ascending"] button::after { content: " ▲"; } th[aria-sort="descending"] button::after { content: " ▼"; }
@page wide { size: A4 landscape; }
@media screen and (max-width: 40rem) { .glossary { grid-template-columns: 1fr; gap: 0; } }
@media print {
  .text { min-width: 22mm; } .cause { min-width: 0; } .reference { min-width: 48mm; }
  .tools { display: none; }
  /* Headings with a button as a box in them would not be repeated on every page. */
  th button { display: contents; }
  #breaks, #matches { page: wide; }
  .heat td { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
`;

/** Sorts by a heading, and keeps rows that have a text. All is there without it, in the order of the statement. */
export const SCRIPT = `
for (const table of document.querySelectorAll('table[data-tools]')) {
  const body = table.tBodies[0];
  const label = document.createElement('label');
  const input = document.createElement('input');
  input.type = 'search';
  label.append('Show only rows with', input);
  const tools = document.createElement('p');
  tools.className = 'tools';
  tools.append(label);
  table.parentElement.before(tools);
  input.addEventListener('input', () => {
    const wanted = input.value.trim().toLowerCase();
    for (const row of body.rows) row.hidden = !row.textContent.toLowerCase().includes(wanted);
  });
  for (const head of table.tHead.rows[0].cells) {
    const button = document.createElement('button');
    button.type = 'button';
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener('click', () => {
      const turn = head.getAttribute('aria-sort') === 'ascending' ? -1 : 1;
      for (const other of table.tHead.rows[0].cells) other.removeAttribute('aria-sort');
      head.setAttribute('aria-sort', turn === 1 ? 'ascending' : 'descending');
      const keyed = [...body.rows].map((row) => ({ row, key: row.cells[head.cellIndex].dataset.key ?? row.cells[head.cellIndex].textContent }));
      const number = (key) => (key === '' ? -Infinity : Number(key));
      const compare = (a, b) => (a === b ? 0 : Number.isNaN(number(a) - number(b)) ? a.localeCompare(b, 'en') : number(a) - number(b));
      keyed.sort((a, b) => turn * compare(a.key, b.key));
      body.append(...keyed.map(({ row }) => row));
    });
  }
}
`;
