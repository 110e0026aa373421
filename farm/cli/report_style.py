"""The style sheet of a report's page: light, dark and on paper.

The series' colours are of Okabe and Ito's palette, which the colour-blind can tell apart.
"""

from typing import Final

STYLE: Final = """
:root {
  color-scheme: light dark;
  --ground: #ffffff; --raised: #f4f5f7; --ink: #1b1f24; --faint: #57606a; --rule: #d0d7de;
  --s0: #0072b2; --s1: #c25400; --s2: #00795a; --s3: #a8487f; --s4: #6b5b00; --warn: #fff4ce;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #14171b; --raised: #1f242a; --ink: #e8ebee; --faint: #a3adb8; --rule: #3a424b;
    --s0: #56b4e9; --s1: #f0a030; --s2: #35c79a; --s3: #e09cc4; --s4: #e5dc5a; --warn: #3c3410;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--ground); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif;
}
main { max-width: 62rem; margin: 0 auto; padding: 1.5rem 1rem 4rem; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0; overflow-wrap: anywhere; }
h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; break-after: avoid; }
.when, .note { color: var(--faint); margin: .25rem 0; }
.note { font-size: .87rem; }
.warning {
  background: var(--warn); border-left: 4px solid var(--s1); padding: .5rem .75rem; margin: 1rem 0;
}
.levers { display: grid; gap: 1rem; margin: 1.5rem 0;
  grid-template-columns: repeat(auto-fit, minmax(14rem, 1fr)); }
.lever { background: var(--raised); border-radius: 8px; padding: .75rem 1rem; break-inside: avoid; }
.lever h2 { margin: 0 0 .5rem; }
dl { margin: 0; }
dd ul { margin: 0 0 .75rem; padding-left: 1.2rem; font-size: .87rem; }
.lever dt { color: var(--faint); font-size: .83rem; overflow-wrap: anywhere; }
.lever dd { margin: 0 0 .4rem; font-weight: 600; font-variant-numeric: tabular-nums; }
.lever dd:first-of-type { font-size: 1.4rem; line-height: 1.3; }
.source { color: var(--faint); font-size: .78rem; font-weight: 400; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: left; vertical-align: top; padding: .3rem .75rem .3rem 0;
  border-bottom: 1px solid var(--rule); }
th { font-weight: 500; }
th[scope="row"] { overflow-wrap: anywhere; min-width: 9rem; }
thead th { color: var(--faint); font-size: .83rem; }
tr { break-inside: avoid; }
figure { margin: 2rem 0; break-inside: avoid; }
figcaption { font-size: 1.1rem; font-weight: 600; margin-bottom: .25rem; }
summary { cursor: pointer; color: var(--faint); font-size: .87rem; margin: .4rem 0; }
svg { width: 100%; height: auto; display: block; }
svg text { font-size: 12px; fill: var(--ink); }
svg .tick { fill: var(--faint); font-size: 11px; }
.grid { stroke: var(--rule); stroke-width: 1; }
.axis { stroke: var(--faint); stroke-width: 1; }
.mark { stroke: var(--ink); stroke-width: 1; stroke-dasharray: 2 3; }
.line { fill: none; stroke-width: 2; stroke-linejoin: round; }
.line.s0 { stroke: var(--s0); stroke-width: 3; }
.line.s1 { stroke: var(--s1); stroke-dasharray: 8 4; }
.line.s2 { stroke: var(--s2); stroke-dasharray: 2 3; }
.line.s3 { stroke: var(--s3); stroke-dasharray: 10 3 2 3; }
.line.s4 { stroke: var(--s4); stroke-dasharray: 5 2; }
.bar.s0, .dot.s0 { fill: var(--s0); } .bar.s1, .dot.s1 { fill: var(--s1); }
.bar.s2, .dot.s2 { fill: var(--s2); }
svg .label.s0 { fill: var(--s0); font-weight: 600; } svg .label.s1 { fill: var(--s1); }
svg .label.s2 { fill: var(--s2); } svg .label.s3 { fill: var(--s3); }
svg .label.s4 { fill: var(--s4); }
.hatch { stroke: var(--ground); stroke-width: 1.5; } .speck { fill: var(--ground); }
.ring { fill: var(--ground); stroke: var(--ink); stroke-width: 2; }
@media print {
  :root { --ground: #ffffff; --raised: #ffffff; --ink: #000000; --faint: #333333;
    --rule: #999999; --s0: #0072b2; --s1: #c25400; --s2: #00795a; --s3: #a8487f; --s4: #6b5b00;
    --warn: #ffffff; }
  * { print-color-adjust: exact; }
  body { font-size: 10pt; }
  main { max-width: none; padding: 0; }
  .levers { grid-template-columns: 1fr 1fr; }
  .lever { border: 1px solid var(--rule); }
  .wide { overflow: visible; }
  details:not([open]) { display: none; }
}
"""
