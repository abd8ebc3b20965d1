-- Reads a channel's stream at one moment.
--
-- KEYS meta, stream
-- ARGV 1 "top", "after" or "before", 2 offset ("+" with "before": from the newest), 3 maximum of entries, 4 maximum of bytes (the first entry comes
--      whatever its size), 5 lifetime of meta (ms), 6 fresh epoch
-- Answers {epoch, top, forks, {offset, body, offset, body, ...}}.
local meta, stream = KEYS[1], KEYS[2]
-- Entries per fetch: fetched entries beyond the maximum of bytes are wasted work.
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
-- There is nothing before offset 0.
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
