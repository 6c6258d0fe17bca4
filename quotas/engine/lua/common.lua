-- Shared by all scripts of the engine; put in front of each.
--
-- A plan, as msgpack, says what a request touches; quotas/engine/plan.py makes it:
--   { tenant, period id, period start s, period end s, { threshold %, ... }, { group, ... } }
--   group = { kind, scope, key, { field, ... }, { meter, ... } }
--   meter = { dimension, limit (-1: none), hard, version, window us, unit }
-- A group is one Redis key, so that all its meters cost one read and one write.
--
-- Numbers are doubles: exact to 2^53. Limits and amounts are at most 10^15.
local RATE, PERIOD, LEVEL = 0, 1, 2
local CLOSED_FOR_MS = 3600000
local KEEP_PERIOD_S = 62 * 86400

local function clock()
  local t = redis.call('TIME')
  return tonumber(t[1]), tonumber(t[1]) * 1000000 + tonumber(t[2])
end

local function int(n)
  return string.format('%.0f', n)
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
  local windows = math.floor(elapsed / window)
  if windows * limit > whole then return 0, 0, now end
  elapsed = elapsed - windows * window
  local quotient = math.floor(limit / window)
  local share = elapsed * (limit - quotient * window)
  local carried = math.floor(share / window)
  whole = whole - windows * limit - elapsed * quotient - carried
  part = part - (share - carried * window)
  if part < 0 then whole, part = whole - 1, part + window end
  if whole < 0 then return 0, 0, now end
  return whole, part, now
end

-- Microseconds until `excess` whole units and `part` have leaked.
local function leak_time(excess, part, limit, window)
  return math.min(math.ceil((excess * window + part) / limit), 1e15)
end

-- Announces each threshold above `told` that `level` has reached; returns the highest one reached.
local function announce(alerts, plan, scope, meter, told, level)
  local limit, top = meter[2], told
  for _, threshold in ipairs(plan[5]) do
    if threshold > told and level * 100 >= limit * threshold then
      redis.call('XADD', alerts, 'MAXLEN', '~', 10000, '*', 'tenant', plan[1], 'scope', scope, 'dimension', meter[1],
        'period', plan[2], 'threshold', threshold, 'version', int(meter[4]), 'limit', int(limit),
        'level', int(level))
      top = threshold
    end
  end
  return top
end

-- Periods always warn; rates and levels only when soft, for hard ones deny by themselves all day long.
local function is_watched(kind, meter, plan, level)
  if meter[2] < 0 or level <= 0 or (kind ~= PERIOD and meter[3]) then return false end
  return level * 100 >= meter[2] * plan[5][1]
end

-- The mark beside a counter is `version/limit:threshold`: what was announced under this version of the limit.
local function watch(alerts, kind, plan, group, meter, level, writes)
  if not is_watched(kind, meter, plan, level) then return end
  local field, version, told = meter[1] .. ':told', int(meter[4]) .. '/' .. int(meter[2]), 0
  local mark = redis.call('HGET', group[3], field)
  if mark then
    local of, threshold = string.match(mark, '^(.+):(%d+)$')
    if of == version then told = tonumber(threshold) end
  end
  local top = announce(alerts, plan, group[2], meter, told, level)
  if top > told then
    writes[#writes + 1], writes[#writes + 2] = field, version .. ':' .. top
  end
end

-- Corrects a rate by `actual - reserved`, moves a period's counters from held to used, gives a lease back.
local function book_rates(alerts, plan, group, reserved, actual, now)
  local stored = redis.call('HMGET', group[3], unpack(group[4]))
  local writes, life = {}, 1000
  for i, meter in ipairs(group[5]) do
    local delta = actual[meter[6]] - reserved[meter[6]]
    if delta ~= 0 then
      local whole, part, at = bucket(stored[i], meter[2], meter[5], now)
      whole = whole + delta
      if whole < 0 then whole, part = 0, 0 end
      writes[#writes + 1] = group[4][i]
      writes[#writes + 1] = int(whole) .. ':' .. int(part) .. ':' .. int(at)
      watch(alerts, RATE, plan, group, meter, whole, writes)
      life = math.max(life, 1000 + leak_time(whole, part, math.max(meter[2], 1), meter[5]) / 1000)
    end
  end
  if #writes == 0 then return end
  redis.call('HSET', group[3], unpack(writes))
  if redis.call('PTTL', group[3]) < life then redis.call('PEXPIRE', group[3], int(life)) end
end

local function book_periods(alerts, plan, group, reserved, actual)
  local stored = redis.call('HMGET', group[3], unpack(group[4]))
  local writes = {}
  for i, meter in ipairs(group[5]) do
    local used = tonumber(stored[2 * i - 1] or 0) + actual[meter[6]]
    local held = math.max(0, tonumber(stored[2 * i] or 0) - reserved[meter[6]])
    writes[#writes + 1], writes[#writes + 2] = group[4][2 * i - 1], int(used)
    writes[#writes + 1], writes[#writes + 2] = group[4][2 * i], int(held)
    watch(alerts, PERIOD, plan, group, meter, used + held, writes)
  end
  redis.call('HSET', group[3], unpack(writes))
  if not stored[1] then redis.call('EXPIREAT', group[3], int(plan[4] + KEEP_PERIOD_S)) end
end

local function book(alerts, plan, id, reserved, actual, now)
  for _, group in ipairs(plan[6]) do
    if group[1] == RATE then
      book_rates(alerts, plan, group, reserved, actual, now)
    elseif group[1] == PERIOD then
      book_periods(alerts, plan, group, reserved, actual)
    else
      redis.call('ZREM', group[3], id)
    end
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

local function close(key, expiry, letter)
  redis.call('SET', key, letter, 'PX', CLOSED_FOR_MS)
  redis.call('ZREM', expiry, key)
end
