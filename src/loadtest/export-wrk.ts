/** A scenario as a script for wrk, which knows no rates: the script holds each connection back until a call is due. */
import type { ExportedFile } from './export.ts';
import { apiCalls, atOnce, DECLINED, ExportError, fileName, heading, type Plan } from './export-plan.ts';
import type { Scenario, Step } from './scenario.ts';
import { secondsOf, segmentsOf } from './segments.ts';

/** For the answers to what was sent last; wrk forgets what is unanswered when its time is up. */
const ANSWERS_SECONDS = 5;
const TIMEOUT_SECONDS = 30;

type Journey = Scenario['journeys'][number];

/** Throws an {@link ExportError} for a step that needs the answer to one before: no call of wrk knows of another. */
export function toWrk(plan: Plan): ExportedFile[] {
  for (const journey of plan.scenario.journeys) refuseDependent(journey);
  refuseThinkingUsers(plan.scenario);
  const name = fileName(plan, 'lua');
  const comment = heading(plan, 'wrk', [commandOf(plan, name)], limitsOf(plan.scenario, plan));
  const schedule = plan.scenario.profile.kind === 'closed' ? CLOSED : SCHEDULE;
  const text = [...comment.map((line) => `-- ${line}`.trimEnd()), constants(plan), CALLS, schedule];
  return [{ name, text: text.join('\n') }];
}

function refuseDependent({ name, steps }: Journey): void {
  let opened = false;
  steps.forEach((step, index) => {
    const needsAnswer = step.do === 'capture' || step.do === 'refund' || (opened && step.do !== 'think');
    if (needsAnswer) {
      const what = `journey ${name}, step ${index + 1} (${step.do})`;
      throw new ExportError(`wrk cannot wait for the answer to an earlier call, which ${what} needs`);
    }
    opened ||= step.do === 'open_wallet';
  });
}

function refuseThinkingUsers({ journeys, profile }: Scenario): void {
  const thinking = journeys.find(({ steps }) => steps.some((step) => step.do === 'think'));
  if (profile.kind !== 'closed' || thinking === undefined) return;
  const index = thinking.steps.findIndex((step) => step.do === 'think');
  const what = `journey ${thinking.name}, step ${index + 1} (think)`;
  throw new ExportError(`wrk has no users who could think, and without pauses a closed profile is another: ${what}`);
}

function commandOf(plan: Plan, name: string): string {
  const { profile } = plan.scenario;
  const seconds = profile.kind === 'closed' ? profile.seconds : secondsOf(segmentsOf(profile)) + ANSWERS_SECONDS;
  const options = `-t1 -c${atOnce(plan, false)} -d${Math.ceil(seconds)}s --timeout ${TIMEOUT_SECONDS}s --latency`;
  return `KVITT_API_KEY=... wrk ${options} -s ${name} ${plan.target}`;
}

function limitsOf({ journeys, profile }: Scenario, plan: Plan): string[] {
  const limits = [apiCalls(plan), DECLINED];
  if (profile.kind !== 'closed') {
    limits.push(
      'A call that finds no free connection is sent late; how many were, and how late, is told at the end.',
      `The last ${ANSWERS_SECONDS} seconds only wait for answers, so read the rate of the script and not that of wrk.`,
    );
  }
  if (journeys.some(({ steps }) => steps.filter(isCall).length > 1)) {
    limits.push('The calls of a journey are sent one after another, none waiting for the answer to the one before.');
  }
  if (journeys.some(({ steps }) => !steps.every(isCall))) limits.push('Pauses are left out.');
  return limits;
}

function isCall(step: Step): boolean {
  return step.do !== 'think';
}

function constants(plan: Plan): string {
  const { scenario, run, seed } = plan;
  const { currency, population, journeys, profile, arrivals } = scenario;
  const lists = journeys.map(({ name, weight, steps }) => {
    return `  { name = ${lua(name)}, weight = ${weight}, steps = { ${steps.filter(isCall).map(stepOf).join(', ')} } },`;
  });
  const segments = profile.kind === 'closed' ? [] : segmentsOf(profile);
  const rates = segments.map(({ from, to, seconds }) => `  { from = ${from}, to = ${to}, seconds = ${seconds} },`);
  return [
    '',
    `local RUN = ${lua(run)}`,
    `local CURRENCY = ${lua(currency)}`,
    `local SEED = ${seed >>> 0}`,
    `local WALLETS = ${population.wallets}`,
    `local MERCHANTS = ${population.merchants}`,
    `local MERCHANT_SKEW = ${population.merchantSkew}`,
    'local JOURNEYS = {',
    ...lists,
    '}',
    ...(rates.length === 0 ? [] : ['-- Arrivals a second, along straight lines.', 'local RATES = {', ...rates, '}']),
    ...(rates.length === 0
      ? []
      : [`local SECONDS = ${secondsOf(segments)}`, `local INDEPENDENT = ${arrivals === 'poisson'}`]),
  ].join('\n');
}

function stepOf(step: Step): string {
  const amount = 'amount' in step ? `, from = ${step.amount.from}, to = ${step.amount.to}` : '';
  return `{ kind = ${lua(step.do)}${amount} }`;
}

/** A string of Lua: whatever is not plainly printable as the digits of its bytes. */
function lua(text: string): string {
  const bytes = [...Buffer.from(text)].map((byte) => {
    const isPlain = byte >= 0x20 && byte < 0x7f && byte !== 0x22 && byte !== 0x5c;
    return isPlain ? String.fromCharCode(byte) : `\\${String(byte).padStart(3, '0')}`;
  });
  return `"${bytes.join('')}"`;
}

const CALLS = `
local ffi = require('ffi')
ffi.cdef([[
typedef struct { long seconds; long nanoseconds; } kvitt_time;
int clock_gettime(int clock, kvitt_time *time);
]])
local WALL_CLOCK = 0
local MONOTONIC_CLOCK = jit.os == 'OSX' and 6 or 1
local time = ffi.new('kvitt_time[1]')

local function milliseconds(clock)
  ffi.C.clock_gettime(clock, time)
  return tonumber(time[0].seconds) * 1000 + tonumber(time[0].nanoseconds) / 1000000
end

local KEY = os.getenv('KVITT_API_KEY')
if not KEY or KEY == '' then
  io.stderr:write('KVITT_API_KEY must hold an API key\\n')
  os.exit(1)
end

math.randomseed(SEED)

local function sums(count, weight)
  local sum, list = 0, {}
  for i = 1, count do
    sum = sum + weight(i)
    list[i] = sum
  end
  return list
end

local function choose(list)
  local value, low, high = math.random() * list[#list], 1, #list
  while low < high do
    local middle = math.floor((low + high) / 2)
    if list[middle] > value then high = middle else low = middle + 1 end
  end
  return low
end

local journey_sums = sums(#JOURNEYS, function(i) return JOURNEYS[i].weight end)
-- Zipf's law.
local merchant_sums = sums(MERCHANTS, function(i) return i ^ -MERCHANT_SKEW end)

-- Another run with the same accounts must not repeat the idempotency keys of this one.
local started = string.format('%.0f', milliseconds(WALL_CLOCK))
local calls = 0

local function post(path, body)
  local headers = {
    ['authorization'] = 'Bearer ' .. KEY,
    ['content-type'] = 'application/json',
    ['idempotency-key'] = RUN .. '-' .. started .. '-' .. calls,
  }
  return wrk.format('POST', path, headers, body)
end

local function get(path)
  return wrk.format('GET', path, { ['authorization'] = 'Bearer ' .. KEY })
end

local function merchant()
  return 'lt:' .. RUN .. ':m:' .. (choose(merchant_sums) - 1)
end

local function pay(source, destination, step, more)
  local body = '{"source":"%s","destination":"%s","amount":%d,"currency":"%s","reference":"%s-%s-%d"%s}'
  local amount = math.random(step.from, step.to)
  return post('/v1/payments', body:format(source, destination, amount, CURRENCY, RUN, started, calls, more or ''))
end

local STEPS = {
  open_wallet = function()
    local body = '{"id":"lt:%s:n:%s-%d","currency":"%s"}'
    return post('/v1/accounts', body:format(RUN, started, calls, CURRENCY))
  end,
  top_up = function(wallet, step) return pay('world:' .. CURRENCY, wallet, step) end,
  buy = function(wallet, step) return pay(wallet, merchant(), step) end,
  authorize = function(wallet, step) return pay(wallet, merchant(), step, ',"capture":"manual"') end,
  check_balance = function(wallet) return get('/v1/accounts/' .. wallet .. '/balance') end,
  list_payments = function(wallet) return get('/v1/payments?account=' .. wallet) end,
}

-- Calls whose time has been chosen and that are not sent yet, first come first.
local planned, first, last = {}, 1, 0

-- Answers how many calls a user who arrives now makes.
local function plan_journey()
  local steps = JOURNEYS[choose(journey_sums)].steps
  local wallet = 'lt:' .. RUN .. ':w:' .. math.random(0, WALLETS - 1)
  for _, step in ipairs(steps) do
    last = last + 1
    planned[last] = { step = step, wallet = wallet }
  end
  return #steps
end

local function next_request()
  local call = planned[first]
  planned[first] = nil
  first = first + 1
  calls = calls + 1
  return STEPS[call.step.kind](call.wallet, call.step)
end

local threads = {}

function setup(thread)
  table.insert(threads, thread)
  if #threads > 1 then
    io.stderr:write('this script holds the rate of one thread: give -t1\\n')
    os.exit(1)
  end
end
`;

const CLOSED = `
function request()
  while first > last do plan_journey() end
  return next_request()
end
`;

const SCHEDULE = `
local began = nil
-- Seconds after the beginning at which the next user arrives, and calls of the last one that no connection has taken.
local due, waiting = 0, 0
local segment, counted, passed = 1, 0, 0
late, late_ms_max, sent = 0, 0, 0

local function distance()
  return INDEPENDENT and -math.log(1 - math.random()) or 1
end

local arrived = INDEPENDENT and distance() or 0

local function seconds_into(rates, count)
  if count == 0 then return 0 end
  local slope = (rates.to - rates.from) / rates.seconds
  return 2 * count / (rates.from + math.sqrt(math.max(0, rates.from ^ 2 + 2 * slope * count)))
end

-- When the next user arrives; nil: nobody does any more.
local function next_arrival()
  while RATES[segment] do
    local rates = RATES[segment]
    local count = (rates.from + rates.to) / 2 * rates.seconds
    if arrived < counted + count then
      local at = passed + seconds_into(rates, arrived - counted)
      arrived = arrived + distance()
      return at
    end
    segment, counted, passed = segment + 1, counted + count, passed + rates.seconds
  end
  return nil
end

-- A connection is free: how many milliseconds it waits for the next call that is due, whether or not others were
-- answered meanwhile.
function delay()
  local now = milliseconds(MONOTONIC_CLOCK)
  began = began or now
  while waiting == 0 and due do
    due = next_arrival()
    if due then waiting = plan_journey() end
  end
  if not due then return 1e9 end
  waiting = waiting - 1
  local left = began + due * 1000 - now
  if left < -1 then
    late = late + 1
    late_ms_max = math.max(late_ms_max, -left)
  end
  return math.max(0, math.ceil(left))
end

function request()
  -- wrk asks once before it begins, only to see what requests look like.
  if first > last then return wrk.format('GET', '/healthz') end
  sent = sent + 1
  return next_request()
end

function done(summary)
  local thread = threads[1]
  local failed = 0
  for _, count in pairs(summary.errors) do failed = failed + count end
  print(string.format('Scheduled rate: %d calls sent, %d answered, %d failed, %.2f answered a second over %g s',
    thread:get('sent'), summary.requests, failed, summary.requests / SECONDS, SECONDS))
  print(string.format('Sent late: %d calls, by up to %.1f ms', thread:get('late'), thread:get('late_ms_max')))
end
`;
