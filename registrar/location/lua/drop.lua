-- Removes the bindings of an AOR that were registered over a connection that has
-- ended. One that came back over another connection is left alone.
-- KEYS: bindings of the AOR (zset), index of the shard (zset), stream.
-- ARGV: prefix of contact keys, prefix of index members, what a value holds that
--       was registered over it, length of the stream.
-- Reply: how many were removed.
local akey, xkey, skey = KEYS[1], KEYS[2], KEYS[3]
local removed = 0
for _, cid in ipairs(redis.call('ZRANGE', akey, 0, -1)) do
  local key, member = ARGV[1] .. cid, ARGV[2] .. cid
  local value = redis.call('GET', key)
  if value and string.find(value, ARGV[3], 1, true) then
    local expires = string.match(value, '"expiresAt":(%d+)')
    redis.call('DEL', key)
    redis.call('ZREM', akey, cid)
    redis.call('ZREM', xkey, member)
    redis.call('XADD', skey, 'MAXLEN', '~', ARGV[4], '*', 'k', 'flow-lost', 'm', member, 'e', expires, 'v', value)
    removed = removed + 1
  end
end
return { removed }
