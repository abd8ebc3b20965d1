-- Deletes the oldest entries, and ends the ownership.
--
-- KEYS entries, owner
-- ARGV 1 largest number
-- Returns how many it deleted.
redis.call('XLEN', KEYS[1])
redis.call('DEL', KEYS[2])
local ids = {}
for _, entry in ipairs(redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', ARGV[1])) do ids[#ids + 1] = entry[1] end
if #ids == 0 then return 0 end
-- An entry that is deleted but still pending would be there for ever.
for _, group in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
    for i = 1, #group, 2 do
        if group[i] == 'name' then redis.call('XACK', KEYS[1], group[i + 1], unpack(ids)) end
    end
end
return redis.call('XDEL', KEYS[1], unpack(ids))
