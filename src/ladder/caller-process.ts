/** The process that calls what listens on a port. */
import { randomBytes } from 'node:crypto';
import { Connection } from './connection.ts';
import { answerMeasurements, measure } from './loops.ts';
import type { Measured, Measurement } from './messages.ts';
import { paymentRequest } from './payment-request.ts';

const run = randomBytes(6).toString('hex');
let requests = 0;

async function measureOverConnections(measurement: Measurement): Promise<Measured> {
  const { target, lanes } = measurement;
  if (!('port' in target)) throw new Error(`there is no port to call for ${target.kind}`);
  const connections = Array.from({ length: lanes }, () => new Connection(target));
  try {
    return await measure((lane) => connections[lane]!.call(paymentRequest(run, requests++)), measurement);
  } finally {
    for (const connection of connections) connection.close();
  }
}

answerMeasurements(measureOverConnections);
