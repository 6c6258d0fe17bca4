-- Reads all meters of a plan and changes nothing.
-- ARGV: plan
-- Answers a list of { used, held, us until it resets (0: nothing to wait for) } in the plan's order,
-- or { 3, server s } when the plan is of another period.
local plan = cmsgpack.unpack(ARGV[1])
local seconds, now = clock()
if seconds < plan[3] or seconds >= plan[4] then return { 3, seconds } end
local readings = {}
for _, group in ipairs(plan[6]) do
  local kind, key = group[1], group[3]
  local stored = kind ~= LEVEL and redis.call('HMGET', key, unpack(group[4]))
  for i, meter in ipairs(group[5]) do
    local used, held, reset = 0, 0, 0
    if kind == RATE then
      local whole, part, at = bucket(stored[i], meter[2], meter[5], now)
      used = whole + (part > 0 and 1 or 0)
      reset = meter[2] > 0 and leak_time(whole, part, meter[2], meter[5]) + at - now or 0
    elseif kind == PERIOD then
      used, held = tonumber(stored[2 * i - 1] or 0), tonumber(stored[2 * i] or 0)
      reset = plan[4] * 1000000 - now
    else
      used = redis.call('ZCOUNT', key, '(' .. int(math.floor(now / 1000)), '+inf')
    end
    readings[#readings + 1] = { used, held, reset }
  end
end
return readings
