-- Closes reservations that nobody settled: charges the input estimate and writes their usage event.
-- KEYS: expiry index, alerts, usage stream
-- ARGV: at most this many
-- Answers { closed, vanished }; vanished ones had no reservation behind them any more.
local _, now = clock()
local closed, vanished = 0, 0
local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', int(math.floor(now / 1000)), 'LIMIT', 0, ARGV[1])
for _, key in ipairs(due) do
  local stored = redis.call('GET', key)
  if is_live(stored) then
    local reservation = opened(stored)
    local plan = cmsgpack.unpack(reservation.plan)
    book(KEYS[2], plan, reservation.id, reservation.reserved, reservation.input, now)
    redis.call('XADD', KEYS[3], '*', 'e', reservation.event)
    close(key, KEYS[1], 'A')
    closed = closed + 1
  else
    redis.call('ZREM', KEYS[1], key)
    vanished = vanished + 1
  end
end
return { closed, vanished }
