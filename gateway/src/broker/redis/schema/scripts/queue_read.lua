-- Reads entries for the owner.
--
-- KEYS entries, owner
-- ARGV 1 owner, 2 "new", "pending" or "these", 3 largest number of entries, 4 largest number of bytes (the first entry may exceed it), 5 largest
--      number of bytes of one entry; then the last entry that the caller knows, or with "these" the ids
-- Returns {{{id, tries, fields}, ...}, last entry that the caller knows now}. In place of the fields of an entry that is too large it has their size,
-- and nil if the entry was deleted. Nil: the caller is not the owner, or not any more: see below.
local entries, me = KEYS[1], ARGV[1]
local last = owned(entries, KEYS[2], me)
if not last then return false end
local all = collector(ARGV[3], ARGV[4], ARGV[5])

-- Adds pending entries from one id to another. Returns whether all of them had room.
local function add_pending(from, to)
    while true do
        local count = math.min(all.room() + 1, CHUNK)
        local pending = redis.call('XPENDING', entries, GROUP, from, to, count)
        for _, one in ipairs(pending) do
            if not all.add(one[1], math.max(one[4] - 1, 0), fetch(entries, one[1])) then return false end
            from = '(' .. one[1]
        end
        if #pending < count then return true end
    end
end

-- A server that lost its last writes, but not the owner, hands out again what the owner has read. So the ownership ends, and the next one begins with
-- what the server knows.
local function end_ownership()
    redis.call('DEL', KEYS[2])
    return false
end

if ARGV[2] == 'these' then
    for i = 6, #ARGV do
        local one = redis.call('XPENDING', entries, GROUP, ARGV[i], ARGV[i], 1)[1]
        if not one and redis.call('XRANGE', entries, ARGV[i], ARGV[i])[1] then return end_ownership() end
        if not all.add(ARGV[i], one and math.max(one[4] - 1, 0) or 0, one and fetch(entries, ARGV[i]) or false) then break end
    end
    return { all.found, last }
end
if ARGV[2] == 'pending' then
    add_pending(ARGV[6] == '' and '-' or '(' .. ARGV[6], '+')
    return { all.found, last }
end
if ARGV[6] ~= '' and is_newer(ARGV[6], last) then return end_ownership() end
-- NL-8.6
-- A read whose answer was lost has made entries pending that the caller does not know. They come first.
if ARGV[6] ~= '' and ARGV[6] ~= last and not add_pending('(' .. ARGV[6], last) then
    return { all.found, all.found[#all.found][1] }
end
while all.room() > 0 do
    local count = math.min(all.room(), CHUNK)
    local read = redis.call('XREADGROUP', 'GROUP', GROUP, me, 'COUNT', count, 'STREAMS', entries, '>')
    local new = read and read[1][2] or {}
    for _, entry in ipairs(new) do
        -- What has no room is pending now. The next read finds it like entries of a read whose answer was lost.
        if not all.add(entry[1], 0, entry[2]) then return { all.found, last } end
        last = entry[1]
    end
    if #new < count then break end
end
return { all.found, last }
