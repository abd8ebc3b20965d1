-- Deletes entries that are done.
--
-- KEYS entries, owner
-- ARGV 1 owner, then the ids
-- Returns 1, or nil: the caller is not the owner.
if not owned(KEYS[1], KEYS[2], ARGV[1]) then return false end
redis.call('XACK', KEYS[1], GROUP, unpack(ARGV, 2))
redis.call('XDEL', KEYS[1], unpack(ARGV, 2))
return 1
