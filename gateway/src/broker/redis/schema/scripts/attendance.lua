-- Counts who is present.
--
-- KEYS who, users, nodes
-- Answers {connections, users, {generations of the nodes that hold them}}.
return { redis.call('HLEN', KEYS[1]), redis.call('HLEN', KEYS[2]), redis.call('HKEYS', KEYS[3]) }
