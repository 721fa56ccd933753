/** Installs what the fuzzing of the API needs into the cache folder. Says on stderr when it cannot: its test then fails. */
import { installSchemathesis } from '../test/service/support/schemathesis.ts';

await installSchemathesis().catch((error: Error) => {
  console.error(`setup: ${error.message}\nsetup: the tests that need it will fail`);
});
