-- Checks whether the server accepts writes.
--
-- KEYS a key for this purpose only
-- ARGV 1 its lifetime (ms)
-- Answers the error of the write, or an empty text. The error is an answer and not a failure, because the command itself succeeded.
local answer = redis.pcall('SET', KEYS[1], '', 'PX', ARGV[1])
return type(answer) == 'table' and answer.err or ''
