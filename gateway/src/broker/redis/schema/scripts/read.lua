-- Reads a page of a channel's stream. The page shows the stream at one moment.
--
-- KEYS meta, stream
-- ARGV 1 "top", "after" or "before", 2 offset ("before" and "+": from the newest), 3 largest number of entries, 4 largest number of bytes (the
--      first entry may exceed it), 5 lifetime of meta (ms), 6 fresh epoch
-- Returns {epoch, top, forks, {offset, body, offset, body, ...}}.
local meta, stream = KEYS[1], KEYS[2]
-- Largest number of entries in one fetch. It is small, because fetched entries beyond the largest number of bytes are wasted work.
local CHUNK = 64

local epoch, top, forks, replid, changed = timeline(meta, stream, ARGV[6])
local last = redis.call('XREVRANGE', stream, '+', '-', 'COUNT', 1)[1]
if last and tonumber(string.match(last[1], '^%d+')) > top then
    epoch, forks, changed = ARGV[6], discard(stream, ARGV[6], epoch, top, forks), true
end
if changed then
    redis.call('HSET', meta, 'epoch', epoch, 'top', string.format('%.0f', top), 'replid', replid, 'forks', forks)
end
redis.call('PEXPIRE', meta, ARGV[5])

local found = {}
local left, bytes = tonumber(ARGV[3]), tonumber(ARGV[4])
local from = ARGV[2]
-- No entry comes before offset 0.
if ARGV[1] == 'before' and from == '0' then left = 0 end
while ARGV[1] ~= 'top' and left > 0 do
    local count = math.min(left, CHUNK)
    local entries
    if ARGV[1] == 'after' then
        entries = redis.call('XRANGE', stream, '(' .. from .. '-0', '+', 'COUNT', count)
    elseif from == '+' then
        entries = redis.call('XREVRANGE', stream, '+', '-', 'COUNT', count)
    else
        entries = redis.call('XREVRANGE', stream, '(' .. from .. '-0', '-', 'COUNT', count)
    end
    for _, entry in ipairs(entries) do
        local body = entry[2][2]
        bytes = bytes - #body
        if bytes < 0 and #found > 0 then
            left = 0
            break
        end
        from = string.match(entry[1], '^%d+')
        found[#found + 1] = from
        found[#found + 1] = body
        left = left - 1
    end
    if #entries < count then break end
end
return { epoch, string.format('%.0f', top), forks, found }
