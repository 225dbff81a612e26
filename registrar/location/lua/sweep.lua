-- Looks at what may have run out by the index of a shard: what lives on, since a
-- refresh does not move its score, is put where it belongs; what has ended is taken
-- out, and reported once however many nodes ask.
-- KEYS: index, stream. ARGV: prefix of the keys of the shard, length of the stream,
-- how many at most. Reply: how many were looked at, how many have ended.
local call = redis.call
local t = call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local due = call('ZRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now), 'WITHSCORES', 'LIMIT', 0, ARGV[3])
local moved, ended = {}, 0
for i = 1, #due, 2 do
  local member, score = due[i], due[i + 1]
  local aor, cid = string.match(member, '^([^|]*)|(.*)$')
  -- Where expiresAt stands, see record.go.
  local expires = aor and tonumber(call('GETRANGE', ARGV[1] .. 'contact:' .. aor .. ':' .. cid, 47, 59)) or 0
  if expires > now then
    moved[#moved + 1], moved[#moved + 2] = string.format('%d', expires), member
  else
    call('ZREM', KEYS[1], member)
    if aor then call('ZREM', ARGV[1] .. 'a:' .. aor, cid) end
    call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[2], '*', 'k', 'expired', 'm', member, 'e', score, 'v', '')
    ended = ended + 1
  end
end
if #moved > 0 then call('ZADD', KEYS[1], unpack(moved)) end
return { #due / 2, ended }
