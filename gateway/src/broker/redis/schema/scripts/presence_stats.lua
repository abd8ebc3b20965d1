-- Counts the present connections.
--
-- KEYS presence, users, nodes
-- Answers {connections, users, {generations of their nodes}}.
return { redis.call('HLEN', KEYS[1]), redis.call('HLEN', KEYS[2]), redis.call('HKEYS', KEYS[3]) }
