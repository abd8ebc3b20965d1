-- Ends the ownership of the caller. What is pending stays pending.
--
-- KEYS entries, owner
-- ARGV 1 owner
-- Returns 1, or nil: the caller is not the owner.
if not owned(KEYS[1], KEYS[2], ARGV[1]) then return false end
return redis.call('DEL', KEYS[2])
