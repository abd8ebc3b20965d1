-- Included at the start of every script that uses a channel's stream.

-- Number of forks that a channel keeps.
local FORKS = 8

-- NL-1.2
-- Returns the forks, including a new fork at the end of this timeline.
local function leave(epoch, top, forks)
    local kept = { string.format('%s:%.0f', epoch, top) }
    for fork in string.gmatch(forks, '%S+') do
        if #kept < FORKS then kept[#kept + 1] = fork end
    end
    return table.concat(kept, ' ')
end

-- NL-1.10
-- Deletes a stream that is ahead of its meta. Such a stream belongs to another timeline: the move of a slot was interrupted and left the
-- stream at this server, and a later move brought only the meta here. The caller begins a fresh epoch, because a client may have read that
-- stream. Returns the forks.
local function discard(stream, fresh, epoch, top, forks)
    redis.call('DEL', stream)
    if epoch == fresh then return forks end
    return leave(epoch, top, forks)
end

-- NL-1.10
-- Deletes a stream whose newest offset, including deleted entries, is not the top in its meta. Stream and meta did not arrive at this
-- server together, so the stream may belong to another timeline.
local function discard_unless_newest_is(stream, top)
    if redis.call('EXISTS', stream) == 0 then return end
    local info = redis.call('XINFO', 'STREAM', stream)
    for i = 1, #info, 2 do
        if info[i] == 'last-generated-id' and tonumber(string.match(info[i + 1], '^%d+')) ~= top then redis.call('DEL', stream) end
    end
end

-- NL-1.1, NL-1.9
-- Returns the channel's current timeline: epoch, top, forks ("epoch:offset", newest first, separated by one space), replid, whether the
-- caller must write meta, and the value of `field` of meta, if there is one.
-- The identity of the server's data (replid) changes with every restart and failover. Acknowledged publications may be missing after that,
-- so a new epoch begins, with a fork at the end of the old one. `fresh` is an epoch that was never used.
local function timeline(meta, stream, fresh, field)
    local replid = string.match(redis.call('INFO', 'replication'), 'master_replid:(%w+)')
    local held = redis.call('HMGET', meta, 'epoch', 'top', 'replid', 'forks', field or '')
    local epoch, top, forks = held[1], tonumber(held[2] or 0), held[4] or ''
    if not epoch then
        -- A stream without its meta belongs to no timeline. If another program wrote the key with another type, XLEN fails.
        if redis.call('XLEN', stream) > 0 then redis.call('DEL', stream) end
        return fresh, 0, '', replid, true
    end
    if held[3] == replid then
        return epoch, top, forks, replid, false, held[5]
    end
    discard_unless_newest_is(stream, top)
    return fresh, top, leave(epoch, top, forks), replid, true, held[5]
end
