import { type Command, Option } from 'commander';
import { actor } from '../actor.ts';
import { ConfigError } from '../config.ts';
import { generateApiKey, hashApiKey } from '../http/auth.ts';
import { SCOPES } from '../http/ports.ts';
import { MongoApiKeys } from '../mongo/api-keys.ts';
import { auditKeyCreated, auditKeyRevoked } from '../mongo/audit-log.ts';
import { table } from '../resources/text.ts';
import { ADJUSTING_CLIENT } from '../wiring/reconciliation.ts';
import { type Output, print, wholeNumber } from './output.ts';
import { withStorage } from './with-storage.ts';

export function addKeys(program: Command): void {
  const keys = program.command('keys').description('API keys');
  keys
    .command('generate')
    .description('print a new key, for BOOTSTRAP_API_KEY; stores nothing')
    .action(() => {
      process.stdout.write(`${generateApiKey()}\n`);
    });
  keys
    .command('create <client>')
    .description('store a new key and print it, once')
    .addOption(new Option('--scopes <scopes...>', 'what it may do').choices(SCOPES).default([...SCOPES]))
    .option('--expires-days <days>', 'days until it expires', wholeNumber)
    .option('--json', 'answer as JSON')
    .action(async (client: string, flags: Output & { scopes: string[]; expiresDays?: number }) => {
      await withStorage(async ({ db }) => {
        const key = generateApiKey();
        const expiresAt =
          flags.expiresDays === undefined ? null : new Date(Date.now() + flags.expiresDays * 86_400_000);
        const stored = { hash: hashApiKey(key), client: clientName(client), scopes: flags.scopes, expiresAt };
        await new MongoApiKeys(db).add(stored);
        // Before it is shown: a key that nobody knows of is of no use to anybody.
        await auditKeyCreated(db, actor(), stored);
        print({ key, client, scopes: flags.scopes, expires_at: expiresAt }, flags, () => `${key}\n`);
      });
    });
  keys
    .command('list')
    .option('--json', 'answer as JSON')
    .action(async (flags: Output) => {
      await withStorage(async ({ db }) => {
        const all = await new MongoApiKeys(db).list();
        const rows = all.map(({ hash, client, scopes, expiresAt, revokedAt }) => [
          hash.slice(0, 16),
          client,
          scopes.join(' '),
          revokedAt ? 'revoked' : (expiresAt?.toISOString() ?? 'never'),
        ]);
        print(all, flags, () => table(['id', 'client', 'scopes', 'expires'], rows, 'llll'));
      });
    });
  keys
    .command('revoke <id>')
    .description('revoke the key with this id, as `keys list` shows it')
    .requiredOption('--yes', 'it cannot be taken back')
    .action(async (id: string) => {
      if (!/^[0-9a-f]{8,64}$/.test(id))
        throw new ConfigError('The id is 8 to 64 hex digits, as `kvitt keys list` shows it.');
      await withStorage(async ({ db }) => {
        const hash = await new MongoApiKeys(db).revoke(id);
        if (hash !== null) return auditKeyRevoked(db, actor(), hash);
        throw new ConfigError(`No key, or more than one, has the id ${id}. See \`kvitt keys list\`.`);
      });
    });
}

/** Names of the service's own keys: those of the consumer, and of transactions that adjust breaks. */
const OWN_CLIENTS: readonly string[] = ['sqs', ADJUSTING_CLIENT];

function clientName(name: string): string {
  if (/^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/.test(name) && !OWN_CLIENTS.includes(name)) return name;
  throw new ConfigError(`A client is 1 to 64 letters, digits, _ or -, and none of ${OWN_CLIENTS.join(', ')}.`);
}
