-- Stores a subscription of a user, and removes expired ones. It replaces a subscription to the same channel.
--
-- KEYS subscriptions
-- ARGV 1 channel, 2 end (s since 1970; 0: never), 3 now, 4 largest number of subscriptions
-- Returns 1, or 0 if the user already has the largest number.
local stored = redis.call('HGETALL', KEYS[1])
local others = 0
for i = 1, #stored, 2 do
    local ends = tonumber(stored[i + 1])
    if ends ~= 0 and ends <= tonumber(ARGV[3]) then
        redis.call('HDEL', KEYS[1], stored[i])
    elseif stored[i] ~= ARGV[1] then
        others = others + 1
    end
end
if others >= tonumber(ARGV[4]) then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
return 1
