-- Counts the connections that are present in a channel.
--
-- KEYS presence, users, nodes
-- Returns {connections, users, {generations of their nodes}}.
return { redis.call('HLEN', KEYS[1]), redis.call('HLEN', KEYS[2]), redis.call('HKEYS', KEYS[3]) }
