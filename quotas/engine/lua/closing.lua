-- How a reservation is closed; stands behind common.lua in front of settle, release and sweep.

-- Corrects a rate by `actual - reserved`.
local function book_rates(alerts, p, g, reserved, actual, now)
  local fields, stored = read(p, g)
  local writes, life, i, first, last = {}, 0, 0, meters(p, g)
  for m = first, last, METER_SIZE do
    i = i + 1
    local limit, window = p[m + LIMIT], p[m + WINDOW]
    local delta = actual[p[m + UNIT]] - reserved[p[m + UNIT]]
    if delta ~= 0 then
      local whole, part, at = bucket(stored[i], limit, window, now)
      whole = whole + delta
      if whole < 0 then whole, part = 0, 0 end
      writes[#writes + 1] = fields[i]
      writes[#writes + 1] = state(whole, part, at)
      if is_watched(p, RATE, m, whole) then watch(alerts, p, g, m, whole, writes) end
      life = math.max(life, leak_time(whole, part, math.max(limit, 1), window))
    end
  end
  if #writes == 0 then return end
  redis.call('HSET', p[g + 2], unpack(writes))
  life = math.ceil(life / 1000) + 1000
  if redis.call('PTTL', p[g + 2]) < life then redis.call('PEXPIRE', p[g + 2], int(life)) end
end

-- Moves a period's amounts from held to used.
local function book_periods(alerts, p, g, reserved, actual)
  local fields, stored = read(p, g)
  local writes, i, first, last = {}, 1, meters(p, g)
  for m = first, last, METER_SIZE do
    local used = tonumber(stored[i] or 0) + actual[p[m + UNIT]]
    local held = math.max(0, tonumber(stored[i + 1] or 0) - reserved[p[m + UNIT]])
    writes[#writes + 1] = fields[i]
    writes[#writes + 1] = int(used)
    writes[#writes + 1] = fields[i + 1]
    writes[#writes + 1] = int(held)
    if is_watched(p, PERIOD, m, used + held) then watch(alerts, p, g, m, used + held, writes) end
    i = i + 2
  end
  redis.call('HSET', p[g + 2], unpack(writes))
  if not stored[1] then redis.call('EXPIREAT', p[g + 2], int(p[4] + KEEP_PERIOD_S)) end
end

local function book(alerts, p, id, reserved, actual, now)
  local g = FIRST_GROUP
  for _ = 1, p[5] do
    if p[g] == RATE then
      book_rates(alerts, p, g, reserved, actual, now)
    elseif p[g] == PERIOD then
      book_periods(alerts, p, g, reserved, actual)
    else
      redis.call('ZREM', p[g + 2], id)
    end
    g = next_group(p, g)
  end
end

local function close(key, expiry, letter)
  redis.call('SET', key, letter, 'PX', CLOSED_FOR_MS)
  redis.call('ZREM', expiry, key)
end
