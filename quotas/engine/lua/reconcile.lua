-- Sets used amounts to the truth, if nothing moved since they were read: the caller saw an empty usage stream and
-- these amounts, then asked PostgreSQL; when both still hold, PostgreSQL knew of every booked event.
-- KEYS: the period's counters, usage stream
-- ARGV: period end s, then triples of field, amount seen, amount true
-- Answers 1 when set, 0 when something moved.
if redis.call('XLEN', KEYS[2]) > 0 then return 0 end
for i = 2, #ARGV, 3 do
  if tonumber(redis.call('HGET', KEYS[1], ARGV[i]) or 0) ~= tonumber(ARGV[i + 1]) then return 0 end
end
for i = 2, #ARGV, 3 do
  redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 2])
end
redis.call('EXPIREAT', KEYS[1], int(tonumber(ARGV[1]) + KEEP_PERIOD_S))
return 1
