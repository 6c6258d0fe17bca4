-- Decides all meters of a request at once and holds their amounts; a denial changes nothing.
-- KEYS: reservation, epoch, configuration sequence, expiry index, alerts
-- ARGV: plan, id, tokens, micro, input tokens, input micro, ttl ms, abandoned event
-- Answers: { 1, sequence, requests limit, remaining, reset us, tokens limit, remaining, reset us }  (limit -1: none)
--          { 0, position of the meter, limit, remaining, reset us (-1: waiting does not help) }
--          { 2 } counters are being rebuilt; { 3, server s } not this period; { 4 } the id is closed
local marks = redis.call('MGET', KEYS[1], KEYS[2], KEYS[3])
if is_live(marks[1]) then return opened(marks[1]).answer end
if marks[1] then return { 4 } end
if not marks[2] then return { 2 } end

local plan = cmsgpack.unpack(ARGV[1])
local seconds, now = clock()
if seconds < plan[3] or seconds >= plan[4] then return { 3, seconds } end

local amounts = { 1, tonumber(ARGV[3]), tonumber(ARGV[4]) }
local now_ms = math.floor(now / 1000)
local expires = now_ms + tonumber(ARGV[7])
local position, denial = 0, nil
local windows = { { -1, 0, 0 }, { -1, 0, 0 } }
local pending = {}

-- Of several limits that say no, the one that lasts longest is named: waiting for it is enough.
local function deny(limit, remaining, reset)
  if not denial or reset > denial[4] then denial = { position, limit, math.max(0, remaining), reset } end
end

local function show(unit, limit, remaining, reset)
  local window = windows[unit]
  if window[1] < 0 or remaining < window[2] then windows[unit] = { limit, remaining, reset } end
end

local function decide_rate(meter, stored)
  local limit, window, amount = meter[2], meter[5], amounts[meter[6]]
  local whole, part, at = bucket(stored, limit, window, now)
  local over = whole + amount - limit
  if meter[3] and (limit == 0 or over > 0 or (over == 0 and part > 0)) then
    local free = limit - whole - (part > 0 and 1 or 0)
    local never = limit == 0 or amount > limit
    deny(limit, free, never and math.huge or leak_time(over, part, limit, window) + at - now)
    return
  end
  whole = whole + amount
  local full = limit > 0 and leak_time(whole, part, limit, window) or window
  show(meter[6], limit, math.max(0, limit - whole - (part > 0 and 1 or 0)), full)
  return int(whole) .. ':' .. int(part) .. ':' .. int(at), whole, full
end

local function decide_rates(group)
  local stored = redis.call('HMGET', group[3], unpack(group[4]))
  local writes, life, levels = {}, 0, {}
  for i, meter in ipairs(group[5]) do
    position = position + 1
    local state, level, full = decide_rate(meter, stored[i])
    if state then
      writes[#writes + 1], writes[#writes + 2] = group[4][i], state
      levels[i] = level
      life = math.max(life, full)
    end
  end
  pending[#pending + 1] = { group, writes, levels, math.ceil(life / 1000) + 1000 }
end

local function decide_periods(group)
  local stored = redis.call('HMGET', group[3], unpack(group[4]))
  local writes, levels = {}, {}
  for i, meter in ipairs(group[5]) do
    position = position + 1
    local used, held = tonumber(stored[2 * i - 1] or 0), tonumber(stored[2 * i] or 0)
    local limit, amount = meter[2], amounts[meter[6]]
    if limit >= 0 and meter[3] and (limit == 0 or used + held + amount > limit) then
      deny(limit, limit - used - held, plan[4] * 1000000 - now)
    end
    writes[#writes + 1], writes[#writes + 2] = group[4][2 * i], int(held + amount)
    levels[i] = used + held + amount
  end
  if not stored[1] then
    for i in ipairs(group[5]) do
      writes[#writes + 1], writes[#writes + 2] = group[4][2 * i - 1], stored[2 * i - 1] or '0'
    end
  end
  pending[#pending + 1] = { group, writes, levels, stored[1] and 0 or -1 }
end

local function decide_level(group)
  position = position + 1
  local meter = group[5][1]
  local limit = meter[2]
  -- Leases that ran out stay in the set until an admission cleans up: a denial changes nothing.
  local taken = redis.call('ZCOUNT', group[3], '(' .. now_ms, '+inf')
  if limit >= 0 and meter[3] and taken + 1 > limit then
    deny(limit, limit - taken, limit == 0 and math.huge or 1000000)
  end
  pending[#pending + 1] = { group, {}, { taken + 1 }, 0 }
end

-- A level keeps no mark: it tells a threshold each time it rises over it.
local function watch_level(group, level)
  local meter, told = group[5][1], 0
  if not is_watched(LEVEL, meter, plan, level) then return end
  for _, threshold in ipairs(plan[5]) do
    if (level - 1) * 100 >= meter[2] * threshold then told = threshold end
  end
  announce(KEYS[5], plan, group[2], meter, told, level)
end

for _, group in ipairs(plan[6]) do
  if group[1] == RATE then
    decide_rates(group)
  elseif group[1] == PERIOD then
    decide_periods(group)
  else
    decide_level(group)
  end
end
if denial then
  local reset = denial[4]
  return { 0, denial[1], denial[2], denial[3], reset == math.huge and -1 or reset }
end

local alerts = KEYS[5]
for _, change in ipairs(pending) do
  local group, writes, levels, life = unpack(change)
  local key = group[3]
  for i, meter in ipairs(group[5]) do
    if levels[i] and group[1] ~= LEVEL then
      watch(alerts, group[1], plan, group, meter, levels[i], writes)
    end
  end
  if group[1] == LEVEL then
    redis.call('ZREMRANGEBYSCORE', key, '-inf', now_ms)
    redis.call('ZADD', key, expires, ARGV[2])
    watch_level(group, levels[1])
  else
    redis.call('HSET', key, unpack(writes))
    if group[1] == RATE then
      redis.call('PEXPIRE', key, int(life))
    elseif life < 0 then
      redis.call('EXPIREAT', key, int(plan[4] + KEEP_PERIOD_S))
    end
  end
end

local r, t = windows[1], windows[2]
local answer = { 1, tonumber(marks[3] or 0), r[1], r[2], r[3], t[1], t[2], t[3] }
local reservation = cmsgpack.pack(ARGV[2], ARGV[1], amounts[2], amounts[3], tonumber(ARGV[5]), tonumber(ARGV[6]),
  ARGV[8], answer)
redis.call('SET', KEYS[1], 'L' .. reservation, 'PX', int(tonumber(ARGV[7]) + 604800000))
redis.call('ZADD', KEYS[4], expires, KEYS[1])
return answer
