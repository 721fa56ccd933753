// Run by mongosh: makes the three members a replica set, once, and waits until one of them takes writes.
const WAIT_MS_MAX = 60000;
const members = ['mongo-1', 'mongo-2', 'mongo-3'].map((host, _id) => ({ _id, host: `${host}:27017` }));

try {
  rs.status();
} catch (error) {
  if (error.codeName !== 'NotYetInitialized') throw error;
  rs.initiate({ _id: 'kvitt', members, settings: { electionTimeoutMillis: 5000 } });
}

const deadline = Date.now() + WAIT_MS_MAX;
while (!rs.status().members.some((member) => member.stateStr === 'PRIMARY')) {
  if (Date.now() > deadline) throw new Error('no primary was elected; see the logs of mongo-1, mongo-2 and mongo-3');
  sleep(500);
}
