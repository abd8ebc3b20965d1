-- Describes a partition.
--
-- KEYS entries, dead, owner, paused
-- Returns {number of entries, of those that the owner has read, of dead letters, 1 if paused, time (ms since 1970), oldest entry or "", owner or ""}.
local entries = KEYS[1]
local depth, read = redis.call('XLEN', entries), 0
if last_read(entries) then read = redis.call('XPENDING', entries, GROUP)[1] end
local oldest = redis.call('XRANGE', entries, '-', '+', 'COUNT', 1)[1]
local time = redis.call('TIME')
return {
    depth, read, redis.call('XLEN', KEYS[2]), redis.call('EXISTS', KEYS[4]), time[1] * 1000 + math.floor(time[2] / 1000),
    oldest and oldest[1] or '', redis.call('GET', KEYS[3]) or '',
}
