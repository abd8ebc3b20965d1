-- Ends an attempt to carry a call out, unless another attempt has taken over. An answer that is kept stays.
--
-- KEYS call
-- ARGV 1 attempt, 2 digest of the call's data, 3 how it ends, 4 a lifetime (ms), 5 the answer
--   answer: keeps the answer for the lifetime. release: forgets the call. unknown: the attempt counts as running for the lifetime
-- Returns 1, or 0 if another attempt has taken over.
local attempt, answer = unpack(redis.call('HMGET', KEYS[1], 'attempt', 'answer'))
if attempt and attempt ~= ARGV[1] then return 0 end
-- The gateway repeats a command whose answer was lost.
if answer then return 1 end
if ARGV[3] == 'answer' then
    redis.call('HSET', KEYS[1], 'body', ARGV[2], 'attempt', ARGV[1], 'answer', ARGV[5])
    redis.call('PEXPIRE', KEYS[1], ARGV[4])
elseif ARGV[3] == 'unknown' then
    redis.call('PEXPIRE', KEYS[1], ARGV[4])
else
    redis.call('DEL', KEYS[1])
end
return 1
