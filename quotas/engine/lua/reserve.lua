-- Decides all meters of a request at once and holds their amounts; a denial changes nothing.
-- KEYS: reservation, epoch, configuration sequence, expiry index, alerts
-- ARGV: plan, id, tokens, micro, input tokens, input micro, ttl ms, abandoned event
-- Answers: { 1, sequence, requests limit, remaining, reset us, tokens limit, remaining, reset us }  (limit -1: none)
--          { 0, number of the meter, limit, remaining, reset us (-1: waiting does not help) }
--          { 2 } counters are being rebuilt; { 3, server s } not this period; { 4 } the id is closed
local marks = redis.call('MGET', KEYS[1], KEYS[2], KEYS[3])
if is_live(marks[1]) then return opened(marks[1]).answer end
if marks[1] then return { 4 } end
if not marks[2] then return { 2 } end

local p = cmsgpack.unpack(ARGV[1])
local seconds, now = clock()
if seconds < p[3] or seconds >= p[4] then return { 3, seconds } end

local alerts = KEYS[5]
local amounts = { 1, tonumber(ARGV[3]), tonumber(ARGV[4]) }
local now_ms = floor(now / 1000)
local expires = int(now_ms + tonumber(ARGV[7]))
local never = math.huge
local number, denial = 0, nil
local answer = { 1, tonumber(marks[3] or 0), -1, 0, 0, -1, 0, 0 }
local changes = {}

-- Of several limits that say no, the one that lasts longest is named: waiting for it is enough.
local function deny(limit, remaining, reset)
  if not denial or reset > denial[5] then denial = { 0, number, limit, math.max(0, remaining), reset } end
end

-- Of several rate limits of one unit, the one that is nearest to its end is shown.
local function show(unit, limit, remaining, reset)
  local i = unit * 3
  if answer[i] < 0 or remaining < answer[i + 1] then
    answer[i], answer[i + 1], answer[i + 2] = limit, math.max(0, remaining), reset
  end
end

local function decide_rate(m, stored)
  local limit, window, amount = p[m + LIMIT], p[m + WINDOW], amounts[p[m + UNIT]]
  local whole, part, at = bucket(stored, limit, window, now)
  local free = limit - whole
  if part > 0 then free = free - 1 end
  if p[m + HARD] and (free < amount or limit == 0) then
    local hopeless = limit == 0 or amount > limit
    return deny(limit, free, hopeless and never or leak_time(whole + amount - limit, part, limit, window) + at - now)
  end
  whole = whole + amount
  local full = limit > 0 and leak_time(whole, part, limit, window) or window
  show(p[m + UNIT], limit, free - amount, full)
  return state(whole, part, at), whole, full
end

local function decide_rates(g)
  local fields, stored = read(p, g)
  local change, life, i, first, last = { g = g, writes = {} }, 0, 0, meters(p, g)
  local writes = change.writes
  for m = first, last, METER_SIZE do
    i = i + 1
    number = number + 1
    local text, level, full = decide_rate(m, stored[i])
    if text then
      writes[#writes + 1] = fields[i]
      writes[#writes + 1] = text
      if is_watched(p, RATE, m, level) then change[#change + 1] = { m, level } end
      if full > life then life = full end
    end
  end
  change.life = int(math.ceil(life / 1000) + 1000)
  changes[#changes + 1] = change
end

local function decide_periods(g)
  local fields, stored = read(p, g)
  local change, i, first, last = { g = g, writes = {}, is_new = not stored[1] }, 0, meters(p, g)
  local writes = change.writes
  for m = first, last, METER_SIZE do
    i = i + 1
    number = number + 1
    local used, held = tonumber(stored[2 * i - 1] or 0), tonumber(stored[2 * i] or 0)
    local limit, amount = p[m + LIMIT], amounts[p[m + UNIT]]
    if p[m + HARD] and limit >= 0 and (limit == 0 or used + held + amount > limit) then
      deny(limit, limit - used - held, p[4] * 1000000 - now)
    end
    writes[#writes + 1] = fields[2 * i]
    writes[#writes + 1] = int(held + amount)
    if not stored[2 * i - 1] then
      writes[#writes + 1] = fields[2 * i - 1]
      writes[#writes + 1] = '0'
    end
    local level = used + held + amount
    if is_watched(p, PERIOD, m, level) then change[#change + 1] = { m, level } end
  end
  changes[#changes + 1] = change
end

-- Leases that ran out stay in the set until an admission cleans up: a denial changes nothing.
local function decide_level(g)
  number = number + 1
  local m = meters(p, g)
  local limit, taken = p[m + LIMIT], redis.call('ZCOUNT', p[g + 2], '(' .. int(now_ms), '+inf')
  if p[m + HARD] and limit >= 0 and taken + 1 > limit then
    deny(limit, limit - taken, limit == 0 and never or 1000000)
  end
  changes[#changes + 1] = { g = g, level = taken + 1 }
end

local function take_lease(g, level)
  local key, m, told = p[g + 2], meters(p, g), 0
  redis.call('ZREMRANGEBYSCORE', key, '-inf', int(now_ms))
  redis.call('ZADD', key, expires, ARGV[2])
  if not is_watched(p, LEVEL, m, level) then return end
  -- A level keeps no mark: it tells a threshold each time it rises over it.
  for i = p[6], #p do
    if (level - 1) * 100 >= p[m + LIMIT] * p[i] then told = p[i] end
  end
  announce(alerts, p, p[g + 1], m, told, level)
end

local function hold(change)
  local g, writes = change.g, change.writes
  if p[g] == LEVEL then return take_lease(g, change.level) end
  for i = 1, #change do
    watch(alerts, p, g, change[i][1], change[i][2], writes)
  end
  redis.call('HSET', p[g + 2], unpack(writes))
  if p[g] == RATE then
    redis.call('PEXPIRE', p[g + 2], change.life)
  elseif change.is_new then
    redis.call('EXPIREAT', p[g + 2], int(p[4] + KEEP_PERIOD_S))
  end
end

local g = FIRST_GROUP
for _ = 1, p[5] do
  if p[g] == RATE then
    decide_rates(g)
  elseif p[g] == PERIOD then
    decide_periods(g)
  else
    decide_level(g)
  end
  g = next_group(p, g)
end
if denial then
  if denial[5] == never then denial[5] = -1 end
  return denial
end
for i = 1, #changes do
  hold(changes[i])
end
redis.call('SET', KEYS[1], 'L' .. cmsgpack.pack(ARGV[2], ARGV[1], amounts[2], amounts[3], tonumber(ARGV[5]),
  tonumber(ARGV[6]), ARGV[8], answer), 'PX', int(tonumber(ARGV[7]) + 604800000))
redis.call('ZADD', KEYS[4], expires, KEYS[1])
return answer
