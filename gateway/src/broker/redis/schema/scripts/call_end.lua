-- Keeps the answer to a call, or forgets the call. Does neither if another attempt has taken over, or if the call has an answer.
--
-- KEYS call
-- ARGV 1 attempt, 2 digest of the call's data, 3 lifetime of the answer (ms), 4 the answer; without it the call is forgotten
-- Returns 1, or 0 if nothing was done.
local attempt, answer = unpack(redis.call('HMGET', KEYS[1], 'attempt', 'answer'))
if answer or attempt and attempt ~= ARGV[1] then return 0 end
if ARGV[4] then
    redis.call('HSET', KEYS[1], 'body', ARGV[2], 'attempt', ARGV[1], 'answer', ARGV[4])
    redis.call('PEXPIRE', KEYS[1], ARGV[3])
else
    redis.call('DEL', KEYS[1])
end
return 1
