/** A script for wrk, run by LuaJIT alone: a clock that is set, and as many connections as are needed. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { SentCall } from './calls.ts';

/** Stands for what wrk does around a script, and prints each call and when it is due in milliseconds. */
const WRK = `
local clock = 0
package.loaded.ffi = {
  cdef = function() end,
  new = function() return { [0] = { seconds = 0, nanoseconds = 0 } } end,
  C = { clock_gettime = function(_, time) time[0].seconds, time[0].nanoseconds = 0, clock * 1e6 end },
}
wrk = { format = function(method, path, headers, body)
  local parts = { method, path, body or '' }
  for name, value in pairs(headers or {}) do parts[#parts + 1] = name:lower() .. ': ' .. value end
  return table.concat(parts, '\\1')
end }
local calls = CALLS_MAX
assert(loadstring(io.read('*a')))()
setup({ get = function(_, name) return _G[name] end })
request()
for i = 1, calls do
  if delay then
    local wait = delay()
    if wait >= 1e9 then break end
    clock = clock + wait
  end
  io.write(string.format('%.3f', clock), '\\1', request(), '\\2')
end
`;

export interface TimedCall extends SentCall {
  /** Milliseconds since the beginning. */
  readonly at: number;
}

/** At most `callsMax`; each connection is free again at once. */
export async function runWrkScript(text: string, key: string, callsMax: number): Promise<TimedCall[]> {
  const child = promisify(execFile)('luajit', ['-e', WRK.replace('CALLS_MAX', String(callsMax))], {
    env: { ...process.env, KVITT_API_KEY: key },
    maxBuffer: 1 << 28,
  });
  child.child.stdin!.end(text);
  return (await child).stdout.split('\x02').slice(0, -1).map(parsed);
}

function parsed(line: string): TimedCall {
  const [at, method, path, body, ...headers] = line.split('\x01');
  const fields = headers.map((header) => header.split(/: (.*)/s).slice(0, 2));
  return { at: Number(at), method: method!, path: path!, body: body || null, headers: Object.fromEntries(fields) };
}
