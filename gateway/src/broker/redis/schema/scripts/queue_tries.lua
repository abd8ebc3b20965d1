-- Stores the number of tries of pending entries. Redis counts deliveries, of which the first is no try.
--
-- KEYS entries, owner
-- ARGV 1 owner, then id and tries of each
-- Returns 1, or nil: the caller is not the owner.
if not owned(KEYS[1], KEYS[2], ARGV[1]) then return false end
for i = 2, #ARGV, 2 do
    redis.call('XCLAIM', KEYS[1], GROUP, ARGV[1], 0, ARGV[i], 'RETRYCOUNT', ARGV[i + 1] + 1, 'JUSTID')
end
return 1
