/** Looks of the report, and the little that moves in it. Both are named in its policy by their hashes: nothing else runs. */
import { createHash } from 'node:crypto';

export const STYLE = `
:root { color-scheme: light dark; --page: #f6f7f9; --card: #ffffff; --ink: #1a2230; --soft: #56606f; --line: #d9dee6;
  --accent: #1d6a96; --accent-rgb: 29 106 150; --alert: #a84300; --good: #19703d; --bad: #b3261e; --zebra: #f3f5f8; }
@media (prefers-color-scheme: dark) { :root { --page: #12161d; --card: #1b212b; --ink: #e8ecf2; --soft: #a7b1c0;
  --line: #354052; --accent: #5fb3e0; --accent-rgb: 95 179 224; --alert: #ffab70; --good: #6fd598; --bad: #ff8f87;
  --zebra: #202733; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Liberation Sans", Arial, sans-serif; }
main, header, footer { max-width: 76rem; margin: 0 auto; padding: 0 1.25rem; }
header { padding-top: 2rem; }
footer { padding-bottom: 2rem; color: var(--soft); font-size: .875rem; }
h1 { font-size: 1.5rem; line-height: 1.25; margin: 0 0 .25rem; }
h2 { font-size: 1.15rem; margin: 0 0 .75rem; }
h3 { font-size: 1rem; margin: 1.25rem 0 .5rem; }
p { margin: 0 0 .75rem; max-width: 60rem; }
section { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 1.25rem; margin: 1.25rem 0; }
.soft, .period { color: var(--soft); }
.scroll + p { margin-top: .6rem; }
.verdict { display: flex; gap: .9rem; align-items: flex-start; background: var(--card); border: 1px solid var(--line);
  border-left: 6px solid var(--soft); border-radius: 8px; padding: 1rem 1.25rem; margin: 1rem 0 0; }
.verdict p { margin: 0; font-size: 1.1rem; }
.verdict .mark { font-size: 1.5rem; line-height: 1.2; font-weight: 700; }
.verdict .now { font-size: .95rem; color: var(--soft); margin-top: .25rem; }
.good { border-left-color: var(--good); } .good .mark, .good b { color: var(--good); }
.bad { border-left-color: var(--bad); } .bad .mark, .bad b { color: var(--bad); }
.notice { border: 1px solid var(--alert); border-radius: 8px; padding: .6rem 1rem; margin: 1rem 0 0; max-width: none; }
nav { margin: 1rem 0 0; display: flex; flex-wrap: wrap; gap: .25rem 1.1rem; }
a { color: var(--accent); }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .3rem 1.25rem; margin: 0; }
dt { color: var(--soft); }
dd { margin: 0; overflow-wrap: anywhere; }
.glossary { grid-template-columns: minmax(9rem, 18rem) 1fr; }
.glossary dt { color: var(--ink); font-weight: 600; }
.scroll { overflow-x: auto; }
.scroll:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
table { border-collapse: collapse; width: 100%; font-size: .875rem; }
caption { text-align: left; color: var(--soft); padding-bottom: .4rem; }
th, td { text-align: left; vertical-align: top; padding: .4rem .6rem; border-bottom: 1px solid var(--line); }
thead th { color: var(--soft); font-weight: 600; border-bottom-width: 2px; vertical-align: bottom; }
tbody th { font-weight: 400; }
tbody tr:nth-child(even) { background: var(--zebra); }
.number { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
.nowrap { white-space: nowrap; }
.text { overflow-wrap: anywhere; min-width: 7rem; } .reference { min-width: 17rem; } .cause { min-width: 6.5rem; }
table[data-tools] :is(th, td) { padding-inline: .45rem; }
td small, th small, dd small { display: block; color: var(--soft); font-size: .8rem; }
td small code { font-size: .66rem; white-space: nowrap; }
code { font: .92em ui-monospace, "SF Mono", Menlo, Consolas, "Liberation Mono", monospace; overflow-wrap: anywhere; }
.hash { font-size: .8rem; }
.pictures { display: grid; grid-template-columns: 1fr 1fr; gap: 1.75rem 2.5rem; }
.pictures > .wide { grid-column: 1 / -1; }
figure { margin: 0; min-width: 0; }
figcaption { margin-bottom: .5rem; }
figcaption b { display: block; }
figcaption span { color: var(--soft); font-size: .875rem; }
figure p { font-size: .875rem; margin: .5rem 0 0; }
svg { display: block; width: 100%; height: auto; }
.wide svg { min-width: 44rem; }
svg text { fill: var(--ink); font: 13px system-ui, -apple-system, "Segoe UI", Roboto, "Liberation Sans", Arial, sans-serif;
  font-variant-numeric: tabular-nums; }
svg .axis { fill: var(--soft); font-size: 12px; }
svg .grid { stroke: var(--line); stroke-width: 1; }
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
details { margin-top: .75rem; font-size: .875rem; }
summary { cursor: pointer; color: var(--soft); }
.tools { margin: 0 0 .75rem; font-size: .875rem; }
.tools input { font: inherit; color: inherit; background: var(--page); border: 1px solid var(--soft); border-radius: 4px;
  padding: .3rem .5rem; width: 20rem; max-width: 100%; margin-left: .4rem; }
th button { font: inherit; color: inherit; background: none; border: 0; padding: 0; text-align: inherit; cursor: pointer; }
th button:hover, th button:focus-visible { color: var(--ink); text-decoration: underline; }
th[aria-sort="ascending"] button::after { content: " ▲"; } th[aria-sort="descending"] button::after { content: " ▼"; }
@media screen and (max-width: 56rem) { .pictures { grid-template-columns: 1fr; } }
@media screen and (max-width: 40rem) { main, header, footer { padding: 0 .75rem; } header { padding-top: 1rem; } section { padding: .9rem; }
  dl, .glossary { grid-template-columns: 1fr; gap: 0; } dd { margin-bottom: .6rem; } }
@page { size: A4; margin: 14mm 12mm; }
@page wide { size: A4 landscape; }
@media print {
  :root { color-scheme: light; --page: #ffffff; --card: #ffffff; --ink: #000000; --soft: #444444; --line: #bbbbbb;
    --accent: #1d6a96; --accent-rgb: 29 106 150; --alert: #a84300; --good: #19703d; --bad: #b3261e; --zebra: #ffffff; }
  body { font-size: 9.5pt; } table { font-size: 7.5pt; } th, td { padding: .2rem .3rem; } 
  .text { min-width: 22mm; } .cause { min-width: 0; } .reference { min-width: 48mm; }
  main, header, footer { max-width: none; padding: 0; } section { border: 0; padding: 0; margin: 6mm 0; }
  nav, .tools, details { display: none; } .scroll { overflow: visible; }
  td small, th small { font-size: .92em; } td small code { font-size: .9em; } .wide svg { min-width: 0; }
  /* Headings with a button as a box in them would not be repeated on every page. */
  th button { display: contents; }
  #breaks, #matches { page: wide; } .pictures { gap: 6mm 8mm; }
  h2, h3, figcaption, caption { break-after: avoid; } tr, figure, .verdict { break-inside: avoid; } thead { display: table-header-group; break-inside: avoid; }
  .heat td, svg * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
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

/** Of the document: it loads nothing, sends nothing, and runs nothing but {@link STYLE} and {@link SCRIPT}. */
export const POLICY = [
  "default-src 'none'",
  `style-src ${hashOf(STYLE)}`,
  `script-src ${hashOf(SCRIPT)}`,
  "base-uri 'none'",
  "form-action 'none'",
].join('; ');

function hashOf(text: string): string {
  return `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
}
