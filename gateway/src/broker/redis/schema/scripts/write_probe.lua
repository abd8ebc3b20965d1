-- Checks whether the server accepts writes.
--
-- KEYS a key that only this script uses
-- ARGV 1 its lifetime (ms)
-- Returns the error of the write, or an empty text. The script itself succeeds in both cases, so that the caller can distinguish this error
-- from one of the connection.
local answer = redis.pcall('SET', KEYS[1], '', 'PX', ARGV[1])
return type(answer) == 'table' and answer.err or ''
