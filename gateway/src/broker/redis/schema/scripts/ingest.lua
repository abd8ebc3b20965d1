-- Included at the start of the script that publishes entries of ingest.

-- The field "ingest:<partition>" of meta is "epoch entry": the highest epoch of an owner of the partition, and the newest entry.

-- The field of an entry whose place is "partition epoch entry previous", with the previous entry of the channel or "0-0".
local function field_of(place)
    return 'ingest:' .. string.match(place, '^%d+')
end

-- NL-8.11, NL-8.12
-- Judges an entry. `record` is the value of its field, or false. Returns "next" or "passed", then the value after the entry was published or
-- passed; or "early"; or "stale", then the higher epoch.
local function judge_entry(place, record)
    local epoch, entry, previous = string.match(place, '^%d+ (%d+) (%S+) (%S+)$')
    local known, last = string.match(record or '0 0-0', '^(%d+) (%S+)$')
    if tonumber(epoch) < tonumber(known) then return 'stale', known end
    if not is_newer(entry, last) then return 'passed', epoch .. ' ' .. last end
    if previous ~= '0-0' and is_newer(previous, last) then return 'early' end
    return 'next', epoch .. ' ' .. entry
end

-- Records an entry that another check has answered as done. Returns the answer of the script, or nil.
local function pass_entry(meta, place)
    local field = field_of(place)
    local what, record = judge_entry(place, redis.call('HGET', meta, field))
    if what == 'stale' or what == 'early' then return { what, record } end
    -- Without the rest of meta, the channel remembers nothing.
    if redis.call('EXISTS', meta) == 1 then redis.call('HSET', meta, field, record) end
    return nil
end

