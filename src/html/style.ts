/** Looks that documents have in common: they follow the reader's light or dark, fit narrow screens, and print. */
export const BASE_STYLE = `
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
details { margin-top: .75rem; font-size: .875rem; }
summary { cursor: pointer; color: var(--soft); }
@media screen and (max-width: 56rem) { .pictures { grid-template-columns: 1fr; } }
@media screen and (max-width: 40rem) { main, header, footer { padding: 0 .75rem; } header { padding-top: 1rem; } section { padding: .9rem; }
  dl { grid-template-columns: 1fr; gap: 0; } dd { margin-bottom: .6rem; } }
@page { size: A4; margin: 14mm 12mm; }
@media print {
  :root { color-scheme: light; --page: #ffffff; --card: #ffffff; --ink: #000000; --soft: #444444; --line: #bbbbbb;
    --accent: #1d6a96; --accent-rgb: 29 106 150; --alert: #a84300; --good: #19703d; --bad: #b3261e; --zebra: #ffffff; }
  body { font-size: 9.5pt; } table { font-size: 7.5pt; } th, td { padding: .2rem .3rem; }
  main, header, footer { max-width: none; padding: 0; } section { border: 0; padding: 0; margin: 6mm 0; }
  nav, details { display: none; } .scroll { overflow: visible; }
  td small, th small { font-size: .92em; } td small code { font-size: .9em; } .wide svg { min-width: 0; }
  .pictures { gap: 6mm 8mm; }
  h2, h3, figcaption, caption { break-after: avoid; } tr, figure, .verdict { break-inside: avoid; } thead { display: table-header-group; break-inside: avoid; }
  svg * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
`;
