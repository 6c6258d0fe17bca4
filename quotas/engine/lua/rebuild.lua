-- Adds what PostgreSQL knew of a period to counters that began at nothing after a loss, once for each recovery.
-- KEYS: the period's counters
-- ARGV: recovery id, period end s, then pairs of field and amount
-- Answers 1 when added, 0 when this recovery did it before.
if redis.call('HGET', KEYS[1], 'rebuilt') == ARGV[1] then return 0 end
for i = 3, #ARGV, 2 do
  local used = tonumber(redis.call('HGET', KEYS[1], ARGV[i]) or 0) + tonumber(ARGV[i + 1])
  redis.call('HSET', KEYS[1], ARGV[i], int(used))
end
redis.call('HSET', KEYS[1], 'rebuilt', ARGV[1])
redis.call('EXPIREAT', KEYS[1], int(tonumber(ARGV[2]) + KEEP_PERIOD_S))
return 1
