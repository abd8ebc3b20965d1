-- Tries whether the server accepts writes.
--
-- KEYS a key for that alone
-- ARGV 1 how long it stays (ms)
-- Answers what the server says to the write; empty: it accepted the write. A refusal is an answer here: the command did arrive.
local answer = redis.pcall('SET', KEYS[1], '', 'PX', ARGV[1])
return type(answer) == 'table' and answer.err or ''
