-- Ends an occupation of a channel if no node has had subscribers for some time.
--
-- KEYS occupancy
-- ARGV 1 generation of the occupation, 2 this time (ms), 3 how long the generation is remembered (ms)
-- Returns {1, 0} if the occupation is over, now or before; {0, 0} if a node has subscribers; {0, what is left of the time (ms)} if the channel became
-- vacant later.
if redis.call('HGET', KEYS[1], 'generation') ~= ARGV[1] then return { 1, 0 } end
if redis.call('HLEN', KEYS[1]) - 1 - redis.call('HEXISTS', KEYS[1], 'vacant') > 0 then return { 0, 0 } end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
-- A record without this time lost its last hold otherwise than by a release.
local since = tonumber(redis.call('HGET', KEYS[1], 'vacant') or 0)
if since > now then
    -- The clock was set back.
    since = now
    redis.call('HSET', KEYS[1], 'vacant', string.format('%.0f', now))
end
local left = since + tonumber(ARGV[2]) - now
if left > 0 then return { 0, left } end
redis.call('HDEL', KEYS[1], 'generation', 'vacant')
redis.call('HSET', KEYS[1], 'vacated', ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return { 1, 0 }
