/** Looks of the report of load tests beyond what documents have in common. */
import { html, type Markup } from '../html/markup.ts';
import { BASE_STYLE } from '../html/style.ts';

export const STYLE = `${BASE_STYLE}
:root { --c0: #1d6a96; --c1: #b45309; --c2: #19703d; --c3: #7b3fa0; --c4: #56606f; --c5: #b3261e; }
@media (prefers-color-scheme: dark) { :root { --c0: #5fb3e0; --c1: #ffab70; --c2: #6fd598; --c3: #cba6f0; --c4: #a7b1c0; --c5: #ff8f87; } }
.verdict > div { flex: 1; min-width: 0; }
.verdict p:not(:first-child) { margin-top: .4rem; font-size: 1rem; }
.verdict.bad { border-color: var(--bad); border-left-width: 10px; }
.verdict.bad p:first-child { font-weight: 600; }
.verdict ul { margin: .5rem 0 0; padding-left: 1.2rem; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(8.5rem, 1fr)); gap: .75rem; margin: 1rem 0 0; }
.tiles > div { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: .6rem .9rem; }
.tiles dt { font-size: .8rem; }
.tiles dd { margin: 0; font-size: 1.3rem; font-weight: 600; font-variant-numeric: tabular-nums; line-height: 1.3; }
.tiles dd small { font-size: .8rem; font-weight: 400; }
.tiles .bad { border-color: var(--bad); } .tiles .bad dd { color: var(--bad); }
.tiles .good dd { color: var(--good); }
.keys { display: flex; flex-wrap: wrap; gap: .2rem 1.1rem; list-style: none; margin: .5rem 0 0; padding: 0; font-size: .875rem; }
.keys li { display: flex; gap: .4rem; align-items: center; }
.keys span { color: var(--soft); }
.keys .swatch { width: 1.6rem; min-width: 0; height: .9rem; flex: none; }
.small { display: grid; grid-template-columns: repeat(auto-fill, minmax(19rem, 1fr)); gap: 1.5rem 1.75rem; }
.small .keys { gap: .1rem .9rem; }
svg .base { stroke: var(--soft); stroke-width: 1; }
svg .mark { stroke: var(--ink); stroke-width: 1; stroke-dasharray: 2 3; }
svg .whisker { stroke: var(--ink); stroke-width: 1.5; }
svg :is(.s0, .s1, .s2, .s3, .s4) { fill: none; stroke-width: 2; stroke-linecap: round; stroke-linejoin: round; }
svg .s0 { stroke: var(--c0); } svg .s1 { stroke: var(--c1); stroke-dasharray: 7 4; } svg .s2 { stroke: var(--c2); stroke-dasharray: 1 4; }
svg .s3 { stroke: var(--c3); stroke-dasharray: 9 3 2 3; } svg .s4 { stroke: var(--c4); stroke-width: 1.25; }
svg text.t0 { fill: var(--c0); } svg text.t1 { fill: var(--c1); } svg text.t2 { fill: var(--c2); } svg text.t3 { fill: var(--c3); }
svg text.t4 { fill: var(--c4); }
svg .f0 { fill: var(--c0); } svg .f1 { fill: var(--c1); } svg .f2 { fill: var(--c2); } svg .f3 { fill: var(--c3); } svg .f4 { fill: var(--c4); }
svg .o-ok { fill: var(--c0); fill-opacity: .75; } svg .o-declined { fill: url(#p-declined); } svg .o-refused { fill: url(#p-refused); }
svg .o-failed { fill: var(--c5); } svg .o-unknown { fill: url(#p-unknown); } svg .o-held_back { fill: url(#p-held_back); }
svg :is(.o-declined, .o-refused, .o-failed, .o-unknown, .o-held_back) { stroke-width: .75; }
svg .o-declined { stroke: var(--c0); } svg .o-refused { stroke: var(--c1); } svg .o-failed { stroke: var(--c5); }
svg .o-unknown { stroke: var(--c3); } svg .o-held_back { stroke: var(--c4); }
.patterns { position: absolute; width: 0; height: 0; }
.patterns .k { fill: var(--card); } .patterns line { stroke-width: 2.5; }
.patterns .d { stroke: var(--c0); } .patterns .r { stroke: var(--c1); } .patterns .u { stroke: var(--c3); } .patterns .h { stroke: var(--c4); }
svg .cell { fill: var(--c0); }
svg .l1 { fill-opacity: .13; } svg .l2 { fill-opacity: .28; } svg .l3 { fill-opacity: .45; } svg .l4 { fill-opacity: .62; }
svg .l5 { fill-opacity: .8; } svg .l6 { fill-opacity: 1; }
svg .plain { fill: var(--c0); fill-opacity: .75; } svg .rest { fill: var(--line); }
svg .better { fill: var(--good); stroke: var(--good); } svg .worse { fill: var(--bad); stroke: var(--bad); }
svg .unclear { fill: var(--card); stroke: var(--soft); } svg line:is(.better, .worse, .unclear) { stroke-width: 2.5; }
svg .round { fill: var(--card); stroke: var(--ink); stroke-width: 1.5; }
.better b { color: var(--good); } .worse b { color: var(--bad); } :is(.not_significant, .not_tested) b { font-weight: 400; color: var(--soft); }
.verdict + .soft { margin-top: .75rem; }
.answer { white-space: pre-wrap; }
.finding { border-left: 4px solid var(--line); padding-left: .9rem; margin: 0 0 1rem; }
.finding h3 { margin-top: 0; } .finding ul { margin: 0 0 .4rem; padding-left: 1.2rem; } .finding p { margin: 0; }
.finding.first { border-left-color: var(--accent); }
@media screen and (max-width: 56rem) { .wide svg { min-width: 58rem; } .keys .swatch { min-width: 0; } }
@media screen and (max-width: 40rem) { .tiles { grid-template-columns: 1fr 1fr; } .tiles dd { margin: 0; font-size: 1.1rem; }
  .verdict { padding: .8rem .9rem; } .small { grid-template-columns: 1fr; } }
@media print {
  :root { --c0: #1d6a96; --c1: #b45309; --c2: #19703d; --c3: #7b3fa0; --c4: #56606f; --c5: #b3261e; }
  .tiles { grid-template-columns: repeat(4, 1fr); } .tiles > div { break-inside: avoid; } .small { grid-template-columns: 1fr 1fr; }
  .finding { break-inside: avoid; }
}
`;

/** Outcomes are told apart by these as well as by colour. Stands in a document once. */
export const PATTERNS: Markup = html`<svg class="patterns" aria-hidden="true"><defs>
${pattern('declined', 'd', 90)}${pattern('refused', 'r', 45)}${pattern('unknown', 'u', 0)}${pattern('held_back', 'h', 135)}
</defs></svg>
`;

function pattern(outcome: string, stroke: string, turn: number): Markup {
  return html`<pattern id="p-${outcome}" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(${turn})"><rect class="k" width="6" height="6"/><line class="${stroke}" x1="0" y1="0" x2="0" y2="6"/></pattern>`;
}
