-- Included at the start of the scripts that only the owner of a partition may run.

local GROUP = 'gateway'

-- The last entry that the group has read. Nil: there is no such group, or no stream. Any other error ends the script.
local function last_read(entries)
    local groups = redis.pcall('XINFO', 'GROUPS', entries)
    if groups.err then
        if string.find(groups.err, 'no such key', 1, true) then return nil end
        redis.call('XINFO', 'GROUPS', entries)
    end
    for _, group in ipairs(groups) do
        local name, last
        for i = 1, #group, 2 do
            if group[i] == 'name' then name = group[i + 1] end
            if group[i] == 'last-delivered-id' then last = group[i + 1] end
        end
        if name == GROUP then return last end
    end
    return nil
end

-- NL-8.5
-- Whether this caller owns the partition: the last entry that its owners have read, or nil. If another program deleted the group, nobody owns the
-- partition any more. The next owner makes a group, and gets all entries again.
local function owned(entries, owner, me)
    if redis.call('GET', owner) ~= me then return nil end
    local last = last_read(entries)
    if not last then redis.call('DEL', owner) end
    return last
end
