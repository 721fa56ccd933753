/**
 * Asks the registry whether a package that the service runs on has a known weakness, high or critical: then exit 1. Not
 * every registry can tell; where there is no answer this says so and ends with 0.
 */
import { spawnSync } from 'node:child_process';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';

const ANSWER_MS_MAX = 60_000;
const GRAVE = ['high', 'critical'];
const root = dirname(dirname(fileURLToPath(import.meta.url)));

const { stdout, stderr, error } = spawnSync('npm', ['audit', '--omit=dev', '--audit-level=high', '--json'], {
  cwd: root,
  encoding: 'utf8',
  timeout: ANSWER_MS_MAX,
  maxBuffer: 1 << 26,
});
const report = parsed(stdout);
if (report?.metadata?.vulnerabilities === undefined) {
  const why = error?.message ?? report?.message ?? report?.error?.summary ?? stderr;
  console.log(`audit: not possible, nothing is known of the packages: ${withoutAddress(why)}`);
} else {
  const counts = report.metadata.vulnerabilities;
  const grave = GRAVE.reduce((sum, level) => sum + (counts[level] ?? 0), 0);
  console.log(`audit: ${grave} high or critical, ${counts.total ?? grave} in all`);
  for (const { name, severity, range } of Object.values(report.vulnerabilities ?? {})) {
    if (GRAVE.includes(severity)) console.log(`audit: ${severity}: ${name} ${range}`);
  }
  process.exitCode = grave === 0 ? 0 : 1;
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** Where packages come from may be nobody's business who reads the output of a build. */
function withoutAddress(text) {
  return String(text ?? '')
    .trim()
    .replace(/https?:\/\/\S+/g, 'the registry');
}
