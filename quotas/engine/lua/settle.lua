-- Books what a request really cost and writes its usage event, both once.
-- KEYS: reservation, expiry index, alerts, usage stream
-- ARGV: id, tokens, micro, event [, plan: books even when Redis does not know the reservation]
-- Answers with quotas.data.Outcome.
local stored = redis.call('GET', KEYS[1])
if stored and not is_live(stored) then return 0 end
if not stored and not ARGV[5] then return 2 end

local _, now = clock()
local actual = { 1, tonumber(ARGV[2]), tonumber(ARGV[3]) }
local outcome = 1
if stored then
  local reservation = opened(stored)
  book(KEYS[3], cmsgpack.unpack(reservation.plan), ARGV[1], reservation.reserved, actual, now)
else
  outcome = 3
  book(KEYS[3], cmsgpack.unpack(ARGV[5]), ARGV[1], { 0, 0, 0 }, actual, now)
end
redis.call('XADD', KEYS[4], '*', 'e', ARGV[4])
close(KEYS[1], KEYS[2], 'S')
return outcome
