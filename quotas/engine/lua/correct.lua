-- Adds a signed correction to a period's used amount, once for each correction id.
-- KEYS: the period's counters, the correction's mark, epoch
-- ARGV: field, delta, keep the mark for ms
-- Answers 1 when applied, 0 when it was applied before, 2 while counters are rebuilt (the rebuild is exact).
if redis.call('EXISTS', KEYS[3]) == 0 then return 2 end
if not redis.call('SET', KEYS[2], ARGV[2], 'NX', 'PX', ARGV[3]) then return 0 end
local used = tonumber(redis.call('HGET', KEYS[1], ARGV[1]) or 0) + tonumber(ARGV[2])
redis.call('HSET', KEYS[1], ARGV[1], int(math.max(0, used)))
if redis.call('TTL', KEYS[1]) < 0 then redis.call('EXPIRE', KEYS[1], KEEP_PERIOD_S) end
return 1
