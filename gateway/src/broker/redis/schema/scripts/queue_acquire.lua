-- Makes the caller the owner of a partition, or renews its lease; and takes over what is pending, in steps.
--
-- KEYS entries, owner, epoch, paused
-- ARGV 1 owner, 2 lease (ms), 3 where the takeover goes on ("0" at first), 4 number of entries in one step
-- Returns {epoch, 1 if paused, time (ms since 1970), last entry that the owners have read, where the takeover goes on ("0-0": it is over)}. Nil:
-- another owner has the partition.
local entries, owner, epoch, paused = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local me = ARGV[1]

-- NL-8.5
local current = redis.call('GET', owner)
if current and current ~= me then return false end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local number = tonumber(redis.call('GET', epoch) or 0)
if not number then return redis.error_reply('ERR the epoch of the partition is not a number') end
-- Above maxmemory, a script may write once it has written. Otherwise nobody could own a full queue and empty it.
redis.call('PEXPIRE', owner, ARGV[2])
-- This fails if the entries are of another type. It comes first, so that nothing has changed then.
local made = redis.pcall('XGROUP', 'CREATE', entries, GROUP, '0', 'MKSTREAM')
if type(made) == 'table' and made.err and not string.find(made.err, 'BUSYGROUP', 1, true) then return made end
if not current then
    -- The clock makes the epoch grow even if the server lost the last one.
    number = math.max(number + 1, now)
    redis.call('SET', epoch, string.format('%.0f', number))
end
redis.call('SET', owner, me, 'PX', ARGV[2])

-- NL-8.7
local answer = redis.call('XAUTOCLAIM', entries, GROUP, me, 0, ARGV[3], 'COUNT', ARGV[4], 'JUSTID')
if answer[1] == '0-0' then
    for _, consumer in ipairs(redis.call('XINFO', 'CONSUMERS', entries, GROUP)) do
        local name, pending
        for i = 1, #consumer, 2 do
            if consumer[i] == 'name' then name = consumer[i + 1] end
            if consumer[i] == 'pending' then pending = consumer[i + 1] end
        end
        if name ~= me and pending == 0 then redis.call('XGROUP', 'DELCONSUMER', entries, GROUP, name) end
    end
end
return { string.format('%.0f', number), redis.call('EXISTS', paused), now, last_read(entries), answer[1] }
