-- Begins the lease of the owner again.
--
-- KEYS entries, owner, epoch, paused
-- ARGV 1 owner, 2 lease (ms)
-- Returns {epoch, 1 if paused, time (ms since 1970)}. Nil: the caller is not the owner.
if not owned(KEYS[1], KEYS[2], ARGV[1]) then return false end
local time = redis.call('TIME')
local epoch = redis.call('GET', KEYS[3])
-- Without an epoch, channels could not distinguish the publishes of this owner from those of the next one.
if not epoch then
    redis.call('DEL', KEYS[2])
    return false
end
redis.call('PEXPIRE', KEYS[2], ARGV[2])
return { epoch, redis.call('EXISTS', KEYS[4]), time[1] * 1000 + math.floor(time[2] / 1000) }
