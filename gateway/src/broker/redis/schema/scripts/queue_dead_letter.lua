-- Makes a pending entry a dead letter, or changes nothing.
--
-- KEYS entries, owner, dead
-- ARGV 1 owner, 2 id, 3 largest number of dead letters, 4 reason, 5 tries, 6 detail
-- Returns "moved" (also if it was deleted before), or "full". Nil: the caller is not the owner, or not any more, because the server lost that the owner
-- has read the entry.
local entries, dead, id = KEYS[1], KEYS[3], ARGV[2]
-- Largest number of fields that are kept. Lua does not pass more than about 8,000 arguments to a command; entries of gateways have four fields.
local FIELDS = 1000

if not owned(entries, KEYS[2], ARGV[1]) then return false end
if #redis.call('XPENDING', entries, GROUP, id, id, 1) == 0 then
    if #redis.call('XRANGE', entries, id, id) == 0 then return 'moved' end
    redis.call('DEL', KEYS[2])
    return false
end
-- NL-8.9
if redis.call('XLEN', dead) >= tonumber(ARGV[3]) then return 'full' end
-- NL-8.4
local entry, detail = redis.call('XRANGE', entries, id, id)[1], ARGV[6]
if entry then
    local fields = entry[2]
    if #fields > 2 * FIELDS then
        detail = string.format('%d of %d fields are left out; ', #fields / 2 - FIELDS, #fields / 2) .. detail
        for i = #fields, 2 * FIELDS + 1, -1 do fields[i] = nil end
    end
    local add = { 'XADD', dead, '*', unpack(fields) }
    for _, text in ipairs({ 'dead_entry', id, 'dead_reason', ARGV[4], 'dead_tries', ARGV[5], 'dead_detail', detail }) do add[#add + 1] = text end
    redis.call(unpack(add))
end
redis.call('XACK', entries, GROUP, id)
redis.call('XDEL', entries, id)
return 'moved'
