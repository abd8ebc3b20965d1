-- Stores a publication, remembers its key, and announces it: all of it, or nothing.
--
-- KEYS meta, stream, key, those of later commands that may have been carried out before this one
-- ARGV 1 pub/sub channel, 2 body, 3 publications to keep, 4 for how long (ms), 5 life of meta (ms), 6 fingerprint of the request
--      (empty: the key is nobody else's), 7 life of the key (ms), 8 fresh epoch, 9 PUBLISH or SPUBLISH, 10 latest time on this server's clock (ms since 1970)
-- Answers {what, epoch, offset, whether nothing was held before}: "stored"; "unannounced" (stored, but subscribers were not told); "replayed" (an
-- earlier request with this key did it); or {"mismatch"}, an error LATE or OVERTAKEN: nothing was done.
--
-- NL-2.1
-- Lua does not roll back. What can fail comes before the first write, or leaves nothing: so XADD comes first and PUBLISH last.
local meta, stream, key = KEYS[1], KEYS[2], KEYS[3]

-- NL-2.10
local answered = redis.call('GET', key)
if answered then
    local fingerprint, epoch, offset = string.match(answered, '^(%S*) (%S+) (%S+)$')
    if fingerprint ~= ARGV[6] then return { 'mismatch' } end
    return { 'replayed', epoch, offset }
end
-- NL-2.5
local time = redis.call('TIME')
if time[1] * 1000 + time[2] / 1000 > tonumber(ARGV[10]) then return redis.error_reply('LATE it came after its deadline') end
local refusal = overtaken(4)
if refusal then return refusal end

local epoch, top, forks, replid, changed = timeline(meta, stream, ARGV[8])
local offset = string.format('%.0f', top + 1)
local add = { 'XADD', stream, 'MAXLEN', ARGV[3], offset .. '-0', 'd', ARGV[2] }
local added = redis.pcall(unpack(add))
if type(added) == 'table' and added.err then
    if string.find(added.err, 'equal or smaller', 1, true) then
        epoch, forks, changed = ARGV[8], discard(stream, ARGV[8], epoch, top, forks), true
    end
    -- Whatever else was wrong is wrong again, and ends the script with its own code.
    redis.call(unpack(add))
end
if changed then
    redis.call('HSET', meta, 'epoch', epoch, 'top', offset, 'replid', replid, 'forks', forks)
else
    redis.call('HSET', meta, 'top', offset)
end
redis.call('SET', key, ARGV[6] .. ' ' .. epoch .. ' ' .. offset, 'PX', ARGV[7])
local first = redis.call('PTTL', stream) < 0 and 1 or 0
redis.call('PEXPIRE', stream, ARGV[4])
redis.call('PEXPIRE', meta, ARGV[5])
-- NL-2.2
local told = redis.pcall(ARGV[9], ARGV[1], 'p' .. epoch .. offset .. ' ' .. ARGV[2])
if type(told) == 'table' and told.err then return { 'unannounced', epoch, offset, first } end
return { 'stored', epoch, offset, first }
