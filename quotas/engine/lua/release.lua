-- Gives everything back: the request was never forwarded. No usage event.
-- KEYS: reservation, expiry index, alerts
-- ARGV: id
-- Answers with quotas.data.Outcome.
local stored = redis.call('GET', KEYS[1])
if not stored then return 2 end
if not is_live(stored) then return 0 end
local _, now = clock()
local reservation = opened(stored)
book(KEYS[3], cmsgpack.unpack(reservation.plan), ARGV[1], reservation.reserved, { 0, 0, 0 }, now)
close(KEYS[1], KEYS[2], 'R')
return 1
