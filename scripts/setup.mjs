/**
 * Makes a fresh checkout ready: installs the packages when they are missing or older than the lockfile, then finds or
 * fetches a mongod. Runs before `npm run demo`, `npm test`, `npm start` and `npm run bench`, when nothing is installed
 * yet: it must need nothing but Node.
 *
 * `--serve`: a mongod is needed only when no MONGODB_URI is set.
 * `--test`: the tools by which tests cut networks, set clocks, run ZooKeeper, make up requests and send load are
 * installed, too; if this is root on a Debian, with what they need of its packages.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, lstatSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const NODE_MIN = [20, 19];
const LOCK_WAIT_MS_MAX = 10 * 60_000;
const LOCK_POLL_MS = 500;
const APT_MS_MAX = 300_000;
const TEST_TOOLS = [
  {
    use: 'the tests of faults',
    without: 'the tests that need them will be skipped',
    packages: [
      { name: 'iproute2', command: 'tc' },
      { name: 'faketime', command: 'faketime' },
    ],
  },
  {
    use: 'the tests with a ZooKeeper or an ElasticMQ',
    without: 'the tests that need them will fail',
    packages: [
      { name: 'default-jre-headless', command: 'java' },
      { name: 'maven', command: 'mvn' },
    ],
  },
  {
    use: 'the fuzzing of the API',
    without: 'its test will fail',
    // Debian's python3 alone cannot make environments.
    packages: [{ name: 'python3-venv', command: 'python3', works: ['-c', 'import ensurepip'] }],
  },
  {
    use: 'load tests with other tools',
    without: 'their tests will fail',
    packages: [
      { name: 'wrk', command: 'wrk' },
      { name: 'luajit', command: 'luajit' },
    ],
  },
  {
    use: 'the measurements of each layer',
    without: 'the tests that need them will fail',
    packages: [
      { name: 'nginx', command: 'nginx' },
      { name: 'haproxy', command: 'haproxy' },
      { name: 'strace', command: 'strace' },
    ],
  },
];
/** Where Debian puts servers, which not every PATH has. */
const SERVER_FOLDERS = ['/usr/sbin', '/sbin'];
const root = dirname(dirname(fileURLToPath(import.meta.url)));
const lockFile = join(root, '.kvitt', 'setup.lock');

function main() {
  checkNodeVersion();
  withLock(() => {
    if (packagesAreStale()) installPackages();
  });
  if (process.argv.includes('--test')) {
    TEST_TOOLS.forEach(installTools);
    runScript('fetch-schemathesis.ts');
  }
  const ownMongoDb = process.env.MONGODB_URI || process.env.MONGODB_URI_FILE;
  if (process.argv.includes('--serve') && ownMongoDb) return;
  runScript('fetch-mongod.ts');
}

function runScript(name) {
  run(process.execPath, ['--import', 'tsx', join(root, 'scripts', name)]);
}

function checkNodeVersion() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  const [majorMin, minorMin] = NODE_MIN;
  if (major > majorMin || (major === majorMin && minor >= minorMin)) return;
  fail(
    `Node ${NODE_MIN.join('.')} or newer is needed, and this is ${process.versions.node}. Install it and try again.`,
  );
}

/** npm writes node_modules/.package-lock.json last: an interrupted install has none. */
function packagesAreStale() {
  const installed = join(root, 'node_modules', '.package-lock.json');
  return !existsSync(installed) || statSync(installed).mtimeMs < statSync(join(root, 'package-lock.json')).mtimeMs;
}

function installPackages() {
  // npm ci would empty the folder that the link leads to, which belongs to another checkout.
  const folder = join(root, 'node_modules');
  if (lstatSync(folder, { throwIfNoEntry: false })?.isSymbolicLink()) {
    fail(`${folder} is a link and not as package-lock.json says. Install where it leads to, or remove the link.`);
  }
  console.error('setup: installing packages (npm ci, about a minute) ...');
  const started = Date.now();
  // Inside an npm script, npm_execpath is the npm that runs it; development packages are needed whatever NODE_ENV says.
  const npm = process.env.npm_execpath;
  const args = ['ci', '--include=dev', '--no-audit', '--no-fund'];
  const [command, prefix] = npm?.endsWith('.js') ? [process.execPath, [npm]] : ['npm', []];
  run(command, [...prefix, ...args], { MONGOMS_DISABLE_POSTINSTALL: '1' });
  console.error(`setup: packages installed in ${Math.round((Date.now() - started) / 1000)} s`);
}

/** Not a reason to give up: all other tests run without them. */
function installTools({ use, without, packages }) {
  const missing = packages.filter((tool) => !isThere(tool)).map(({ name }) => name);
  if (missing.length === 0 || process.getuid?.() !== 0 || !isOnPath('apt-get')) return;
  console.error(`setup: installing ${missing.join(' and ')} for ${use} (apt-get) ...`);
  const install = () =>
    spawnSync('apt-get', ['install', '--yes', '--no-install-recommends', ...missing], {
      stdio: ['ignore', 'ignore', 2],
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
      timeout: APT_MS_MAX,
    }).status === 0;
  if (install()) return;
  spawnSync('apt-get', ['update'], { stdio: ['ignore', 'ignore', 2], timeout: APT_MS_MAX });
  if (!install()) console.error(`setup: that failed; ${without}`);
}

function isThere({ command, works }) {
  return isOnPath(command) && (works === undefined || spawnSync(command, works).status === 0);
}

function isOnPath(command) {
  const folders = [...process.env.PATH.split(delimiter), ...SERVER_FOLDERS];
  return folders.some((folder) => existsSync(join(folder, command)));
}

/** Two commands started at once must not install into one folder at the same time. */
function withLock(work) {
  mkdirSync(dirname(lockFile), { recursive: true });
  const deadline = Date.now() + LOCK_WAIT_MS_MAX;
  for (let told = false; !takeLock(); told = true) {
    if (!told) console.error('setup: waiting for another run of the setup ...');
    if (Date.now() > deadline) fail(`Another setup still runs. If none does, remove ${lockFile} and try again.`);
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, LOCK_POLL_MS);
  }
  process.on('exit', () => rmSync(lockFile, { force: true }));
  work();
  rmSync(lockFile, { force: true });
}

function takeLock() {
  try {
    writeFileSync(lockFile, String(process.pid), { flag: 'wx' });
    return true;
  } catch (error) {
    if (error.code !== 'EEXIST') throw error;
  }
  if (!holderIsGone()) return false;
  rmSync(lockFile, { force: true });
  return takeLock();
}

function holderIsGone() {
  try {
    const holder = Number(readFileSync(lockFile, 'utf8'));
    // Just created and not yet written: wait.
    if (!Number.isInteger(holder) || holder <= 0) return false;
    process.kill(holder, 0);
    return false;
  } catch (error) {
    return error.code === 'ESRCH';
  }
}

function run(command, args, environment = {}) {
  const result = spawnSync(command, args, {
    cwd: root,
    // Standard output belongs to the command that this prepares.
    stdio: ['ignore', 2, 2],
    env: { ...process.env, ...environment },
  });
  if (result.error) fail(`${command} could not be started: ${result.error.message}`);
  if (result.status !== 0) fail(`"${[command, ...args].join(' ')}" failed; its messages are above.`);
}

function fail(message) {
  console.error(`setup: ${message}`);
  process.exit(1);
}

main();
