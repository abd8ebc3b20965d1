-- A node says in its own words what is kept at this server, for a time, or goes on saying it.
--
-- KEYS claim
-- ARGV 1 the words, 2 for how long (ms), 3 "anew": also where nobody has said anything
-- Answers the words that hold now; an empty text: none do.
local held = redis.call('GET', KEYS[1]) or ''
if held ~= ARGV[1] and (held ~= '' or ARGV[3] ~= 'anew') then return held end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return ARGV[1]
