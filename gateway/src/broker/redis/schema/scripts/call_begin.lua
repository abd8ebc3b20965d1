-- Begins an attempt to carry a call out, if the call is not known.
--
-- KEYS call
-- ARGV 1 attempt, 2 digest of the call's data, 3 lease (ms)
-- Returns {"first"}, {"running"}, {"done", answer} or {"other_body"}. A repeat of this command by the gateway gets {"first"} again.
local body, attempt, answer = unpack(redis.call('HMGET', KEYS[1], 'body', 'attempt', 'answer'))
if not body then
    redis.call('HSET', KEYS[1], 'body', ARGV[2], 'attempt', ARGV[1])
    redis.call('PEXPIRE', KEYS[1], ARGV[3])
    return { 'first' }
end
if body ~= ARGV[2] then return { 'other_body' } end
if answer then return { 'done', answer } end
return { attempt == ARGV[1] and 'first' or 'running' }
