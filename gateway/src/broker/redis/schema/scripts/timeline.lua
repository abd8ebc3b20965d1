-- Shared by every script that touches a channel's stream. It goes ahead of their text.

-- Timelines of a channel that are remembered.
local FORKS = 8

-- NL-1.2
-- Forks, with the one at which this timeline is left.
local function leave(epoch, top, forks)
    local kept = { string.format('%s:%.0f', epoch, top) }
    for fork in string.gmatch(forks, '%S+') do
        if #kept < FORKS then kept[#kept + 1] = fork end
    end
    return table.concat(kept, ' ')
end

-- A stream that is ahead of its meta is of another timeline: where a slot's move was broken off a later one may put the meta alone over what was
-- NL-1.10
-- left behind. It goes, and with it the epoch, since somebody may have read there. Answers the forks.
local function discard(stream, fresh, epoch, top, forks)
    redis.call('DEL', stream)
    if epoch == fresh then return forks end
    return leave(epoch, top, forks)
end

-- The channel's timeline now: epoch, top and forks ("epoch:offset", newest first, one space between). The identity of the
-- server's data changes with every restart and failover; what was acknowledged before may be missing then, so a new epoch begins that
-- NL-1.1, NL-1.9
-- remembers where it left the old one. `fresh` is an epoch that nobody has used. The last answer tells whether meta has to be written.
local function timeline(meta, stream, fresh)
    local replid = string.match(redis.call('INFO', 'replication'), 'master_replid:(%w+)')
    local held = redis.call('HMGET', meta, 'epoch', 'top', 'replid', 'forks')
    local epoch, top, forks = held[1], tonumber(held[2] or 0), held[4] or ''
    if not epoch then
        -- A stream that outlived its meta belongs to no timeline. What is no stream is somebody else's: XLEN refuses it.
        if redis.call('XLEN', stream) > 0 then redis.call('DEL', stream) end
        return fresh, 0, '', replid, true
    end
    if held[3] == replid then
        return epoch, top, forks, replid, false
    end
    return fresh, top, leave(epoch, top, forks), replid, true
end
