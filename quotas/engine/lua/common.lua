-- Shared by all scripts of the engine; put in front of each.
--
-- A plan says what a request touches; quotas/engine/plan.py makes it. It is one flat msgpack list, because building
-- nested tables cost more than the decision itself:
--   tenant, period id, period start s, period end s, number of groups, position of the first threshold,
--   for each group:   kind, scope, key, number of meters,
--     for each meter: dimension, limit (-1: none), hard, version, window us, unit
--   thresholds in percent, rising
-- A group is one Redis key, so that all its meters cost one read and one write.
-- Below, p is a plan, g the position of a group in it, m the position of a meter.
--
-- Numbers are doubles: exact to 2^53. Limits and amounts are at most 10^15.
local RATE, PERIOD, LEVEL = 0, 1, 2
local FIRST_GROUP, GROUP_SIZE, METER_SIZE = 7, 4, 6
local LIMIT, HARD, VERSION, WINDOW, UNIT = 1, 2, 3, 4, 5
local CLOSED_FOR_MS = 3600000
local KEEP_PERIOD_S = 62 * 86400
local format, floor = string.format, math.floor

local function clock()
  local t = redis.call('TIME')
  return tonumber(t[1]), tonumber(t[1]) * 1000000 + tonumber(t[2])
end

local function int(n)
  return format('%d', n)
end

local function next_group(p, g)
  return g + GROUP_SIZE + METER_SIZE * p[g + 3]
end

-- First meter, last meter: for m = first, last, METER_SIZE.
local function meters(p, g)
  return g + GROUP_SIZE, g + GROUP_SIZE + METER_SIZE * (p[g + 3] - 1)
end

-- Reads a group's counters in the order of its meters: states of rates; used and held of periods.
local function read(p, g)
  local fields, first, last = {}, meters(p, g)
  for m = first, last, METER_SIZE do
    if p[g] == RATE then
      fields[#fields + 1] = p[m]
    else
      fields[#fields + 1] = p[m] .. ':used'
      fields[#fields + 1] = p[m] .. ':held'
    end
  end
  return fields, redis.call('HMGET', p[g + 2], unpack(fields))
end

-- Rates: the continuous-state leaky bucket, which ITU-T I.371 gives as the equal of GCRA; burst = limit.
-- State `whole:part:at`: whole + part/window units are in the bucket at the microsecond `at`; it leaks `limit`
-- units a window. The part is a fraction of a unit in 1/window, so nothing is ever rounded.
-- A clock that steps back leaks nothing. Windows must stay below 94 s: (elapsed * rest) < 2^53.
local function bucket(stored, limit, window, now)
  if not stored then return 0, 0, now end
  local whole, part, at = string.match(stored, '^(%d+):(%d+):(%d+)$')
  whole, part, at = tonumber(whole), tonumber(part), tonumber(at)
  if now <= at then return whole, part, at end
  if limit == 0 then return whole, part, now end
  local elapsed = now - at
  local windows = floor(elapsed / window)
  if windows * limit > whole then return 0, 0, now end
  elapsed = elapsed - windows * window
  local quotient = floor(limit / window)
  local share = elapsed * (limit - quotient * window)
  local carried = floor(share / window)
  whole = whole - windows * limit - elapsed * quotient - carried
  part = part - (share - carried * window)
  if part < 0 then whole, part = whole - 1, part + window end
  if whole < 0 then return 0, 0, now end
  return whole, part, now
end

local function state(whole, part, at)
  return format('%d:%d:%d', whole, part, at)
end

-- Microseconds until `excess` whole units and `part` have leaked.
local function leak_time(excess, part, limit, window)
  return math.min(math.ceil((excess * window + part) / limit), 1e15)
end

-- Announces each threshold above `told` that `level` has reached; returns the highest one reached.
local function announce(alerts, p, scope, m, told, level)
  local top = told
  for i = p[6], #p do
    local threshold = p[i]
    if threshold > told and level * 100 >= p[m + LIMIT] * threshold then
      redis.call('XADD', alerts, 'MAXLEN', '~', 10000, '*', 'tenant', p[1], 'scope', scope, 'dimension', p[m],
        'period', p[2], 'threshold', threshold, 'version', int(p[m + VERSION]), 'limit', int(p[m + LIMIT]),
        'level', int(level))
      top = threshold
    end
  end
  return top
end

-- Periods always warn; rates and levels only when soft, for hard ones deny by themselves all day long.
local function is_watched(p, kind, m, level)
  local limit = p[m + LIMIT]
  if limit < 0 or level <= 0 or level * 100 < limit * p[p[6]] then return false end
  return kind == PERIOD or not p[m + HARD]
end

-- The mark beside a counter is `version/limit:threshold`: what was announced under this version of the limit.
local function watch(alerts, p, g, m, level, writes)
  local field, version, told = p[m] .. ':told', int(p[m + VERSION]) .. '/' .. int(p[m + LIMIT]), 0
  local mark = redis.call('HGET', p[g + 2], field)
  if mark then
    local of, threshold = string.match(mark, '^(.+):(%d+)$')
    if of == version then told = tonumber(threshold) end
  end
  local top = announce(alerts, p, p[g + 1], m, told, level)
  if top > told then
    writes[#writes + 1] = field
    writes[#writes + 1] = version .. ':' .. top
  end
end

-- A live reservation is `L` and the msgpack of
--   id, plan, tokens, micro, input tokens, input micro, abandoned event, answer;  a closed one is a single letter.
local function is_live(stored)
  return stored and string.sub(stored, 1, 1) == 'L'
end

local function opened(stored)
  local id, plan, tokens, micro, input_tokens, input_micro, event, answer = cmsgpack.unpack(string.sub(stored, 2))
  return {
    id = id, plan = plan, reserved = { 1, tokens, micro }, input = { 1, input_tokens, input_micro },
    event = event, answer = answer,
  }
end
