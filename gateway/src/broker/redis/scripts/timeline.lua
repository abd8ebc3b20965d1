-- Shared by every script that touches a channel's stream. It goes ahead of their text.

-- Timelines of a channel that are remembered.
local FORKS = 8

-- The channel's timeline now: epoch, top and forks ("epoch:offset", newest first, one space between). The identity of the
-- server's data changes with every restart and failover; what was acknowledged before may be missing then, so a new epoch begins that
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
    local kept = { string.format('%s:%.0f', epoch, top) }
    for fork in string.gmatch(forks, '%S+') do
        if #kept < FORKS then kept[#kept + 1] = fork end
    end
    return fresh, top, table.concat(kept, ' '), replid, true
end
