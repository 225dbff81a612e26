-- Takes what has run out from the index of a shard, and says so once however
-- many nodes ask. KEYS: index, stream. ARGV: prefix of AOR keys, length of the
-- stream, how many at most. Reply: how many it were.
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local dead = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now), 'WITHSCORES', 'LIMIT', 0, ARGV[3])
for i = 1, #dead, 2 do
  local member, score = dead[i], dead[i + 1]
  if redis.call('ZREM', KEYS[1], member) == 1 then
    local aor, cid = string.match(member, '^([^|]*)|(.*)$')
    if aor then redis.call('ZREM', ARGV[1] .. aor, cid) end
    redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[2], '*', 'k', 'expired', 'm', member, 'e', score, 'v', '')
  end
end
return #dead / 2
