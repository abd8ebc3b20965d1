-- Stores a subscription of a user, in place of one to the same channel, and forgets those that have ended.
--
-- KEYS subscriptions
-- ARGV 1 channel, 2 when it ends (s since 1970; 0: never), 3 now, 4 subscriptions at most
-- Answers 1; 0: there is no room.
local held = redis.call('HGETALL', KEYS[1])
local others = 0
for i = 1, #held, 2 do
    local ends = tonumber(held[i + 1])
    if ends ~= 0 and ends <= tonumber(ARGV[3]) then
        redis.call('HDEL', KEYS[1], held[i])
    elseif held[i] ~= ARGV[1] then
        others = others + 1
    end
end
if others >= tonumber(ARGV[4]) then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
return 1
