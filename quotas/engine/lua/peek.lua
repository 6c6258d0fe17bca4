-- Reads all meters of a plan and changes nothing.
-- ARGV: plan
-- Answers a list of { used, held, us until it resets (0: nothing to wait for) } in the plan's order,
-- or { 3, server s } when the plan is of another period.
local p = cmsgpack.unpack(ARGV[1])
local seconds, now = clock()
if seconds < p[3] or seconds >= p[4] then return { 3, seconds } end
local readings = {}

local function peek_rates(g)
  local _, stored = read(p, g)
  local i, first, last = 0, meters(p, g)
  for m = first, last, METER_SIZE do
    i = i + 1
    local limit, window = p[m + LIMIT], p[m + WINDOW]
    local whole, part, at = bucket(stored[i], limit, window, now)
    local reset = limit > 0 and whole + part > 0 and leak_time(whole, part, limit, window) + at - now or 0
    readings[#readings + 1] = { whole + (part > 0 and 1 or 0), 0, reset }
  end
end

local function peek_periods(g)
  local _, stored = read(p, g)
  for i = 1, p[g + 3] do
    local used, held = tonumber(stored[2 * i - 1] or 0), tonumber(stored[2 * i] or 0)
    readings[#readings + 1] = { used, held, p[4] * 1000000 - now }
  end
end

local g = FIRST_GROUP
for _ = 1, p[5] do
  if p[g] == RATE then
    peek_rates(g)
  elseif p[g] == PERIOD then
    peek_periods(g)
  else
    readings[#readings + 1] = { redis.call('ZCOUNT', p[g + 2], '(' .. int(floor(now / 1000)), '+inf'), 0, 0 }
  end
  g = next_group(p, g)
end
return readings
