/** Requests made up from the service's own OpenAPI document, and every answer held against it. */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { pythonWith } from '../../support/python.ts';

const FILES = fileURLToPath(new URL('./schemathesis/', import.meta.url));
const RUN_MS_MAX = 420_000;

/** Its `python`; installed first if it is not there yet, which takes a quarter of a minute. */
export function installSchemathesis(): Promise<string> {
  return pythonWith('schemathesis', join(FILES, 'requirements.txt'));
}

export interface Fuzzing {
  /** An address that serves `/openapi.json`. */
  readonly address: string;
  readonly key: string;
  readonly seed: number;
  /** Made-up requests of an operation, beyond those for each bound of its schema. */
  readonly examplesMax: number;
  /** Ids that are there, for the paths that take one. */
  readonly ids: Readonly<Record<string, readonly string[]>>;
}

export interface FuzzReport {
  /** Kinds of what went wrong, such as `Server error`. */
  readonly failures: readonly string[];
  readonly operations: { readonly total: number; readonly tested: number };
  readonly requests: number;
  /** How many requests that follow the document were answered 2xx, by operation. */
  readonly accepted: Readonly<Record<string, number>>;
  /** What it says to a person, each failing request with a `curl` included. */
  readonly text: string;
}

/** Ends within a time: rejects when it takes longer, or could not test at all. */
export async function fuzz(fuzzing: Fuzzing): Promise<FuzzReport> {
  const python = await installSchemathesis();
  const folder = await mkdtemp(join(tmpdir(), 'kvitt-schemathesis-'));
  try {
    await writeFile(join(folder, 'schemathesis.toml'), settings(fuzzing));
    const report = join(folder, 'report.json');
    const args = ['-m', 'schemathesis.cli', '--no-color', 'run', `${fuzzing.address}/openapi.json`];
    const output = await promisify(execFile)(python, [...args, '--report', 'json', '--report-json-path', report], {
      cwd: folder,
      env: {
        PATH: process.env.PATH,
        HOME: folder,
        PYTHONPATH: FILES,
        PYTHONDONTWRITEBYTECODE: '1',
        API_KEY: fuzzing.key,
      },
      timeout: RUN_MS_MAX,
      killSignal: 'SIGKILL',
      maxBuffer: 1 << 26,
    }).catch((error: { code?: unknown; stdout: string; stderr: string; killed?: boolean }) => {
      if (error.killed) throw new Error(`schemathesis took more than ${RUN_MS_MAX} ms:\n${error.stdout}`);
      if (error.code !== 1) throw new Error(`schemathesis could not test:\n${error.stdout}${error.stderr}`);
      return error;
    });
    return summary(JSON.parse(await readFile(report, 'utf8')) as Report, output.stdout);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/**
 * 503 is an answer that the document gives for whatever passes; any other 5xx is a failure. A request that follows the
 * document may be refused all the same (an account that is not there), so `positive_data_acceptance` is left out.
 */
function settings({ seed, examplesMax, ids }: Fuzzing): string {
  const paths = Object.entries(ids).map(([path, values], index) => ({ path, values, name: `ids_${index}` }));
  return `
seed = ${seed}
hooks = "hooks"
continue-on-failure = true
warnings = false
headers = { Authorization = "Bearer \${API_KEY}" }
[generation]
max-examples = ${examplesMax}
database = "none"
[phases.stateful]
generation.max-examples = 5
[checks]
positive_data_acceptance.enabled = false
not_a_server_error.expected-statuses = ["2xx", "3xx", "4xx", 503]
missing_required_header.expected-statuses = [400, 401, 403, 406, 415, 422, 428]
[dictionaries]
${paths.map(({ name, values }) => `${name}.values = ${JSON.stringify(values)}`).join('\n')}
${paths
  .map(
    ({ name, path }) => `[[operations]]
include-path = ${JSON.stringify(path)}
parameters = { "path.id" = { dictionary = "${name}", probability = 0.7 } }`,
  )
  .join('\n')}
# By other methods it is a payment with the id bulk, which there cannot be. An item that is wrong fails alone, within 200.
[[operations]]
include-path = "/v1/payments/bulk"
checks.unsupported_method.enabled = false
checks.allow_header_conformance.enabled = false
checks.negative_data_rejection.enabled = false
# By other methods these are dead letters with such an id, which there might be.
${['redrive', 'drop']
  .map(
    (name) => `[[operations]]
include-path = "/v1/dead_letters/${name}"
checks.unsupported_method.enabled = false
checks.allow_header_conformance.enabled = false`,
  )
  .join('\n')}
`;
}

interface Report {
  readonly failures: readonly { readonly title: string }[];
  readonly errors: readonly { readonly title?: string }[];
  readonly operations: { readonly total: number; readonly tested: number };
  readonly test_cases: { readonly generated: number };
  readonly valid_rates: Readonly<Record<string, Readonly<Record<string, { readonly accepted: number }>>>>;
}

function summary(report: Report, text: string): FuzzReport {
  const accepted = Object.entries(report.valid_rates).map(([operation, phases]) => {
    return [operation, Object.values(phases).reduce((sum, phase) => sum + phase.accepted, 0)];
  });
  return {
    failures: [...report.failures, ...report.errors].map(({ title }) => title ?? 'error'),
    operations: report.operations,
    requests: report.test_cases.generated,
    accepted: Object.fromEntries(accepted) as Record<string, number>,
    text,
  };
}
