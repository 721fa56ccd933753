/** Starts generators, says which processes they are, and stays until it is ended. */
import { Fleet } from '../../../src/loadtest/fleet.ts';

const fleet = await Fleet.start(2);
process.stdout.write(`${JSON.stringify(fleet.pids)}\n`);
setInterval(() => undefined, 60_000);
