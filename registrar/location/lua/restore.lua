-- Writes one binding that a node knows and this server may have lost or not yet
-- heard of. What is newer here stays: in the same call the CSeq decides, else
-- who refreshed last.
-- KEYS: bindings of the AOR (zset), index of the shard (zset), stream of the
--       shard, the contact.
-- ARGV: 1 id, 2 member of the index, 3 '1' when the phone has removed it, 4
--       registeredAt, 5 refreshedAt, 6 expiresAt, 7 CSeq (10 places), 8 Call-ID (as
--       in JSON), 9 content, 10 hash, 11 length of the stream.
-- Reply: 1 when something was written.
local akey, xkey, skey, ckey = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local cid, member, gone = ARGV[1], ARGV[2], ARGV[3] == '1'
local HEAD = '^{"v":2,"refreshedAt":(%d+),"expiresAt":(%d+),"cseq":(%d+) *,"registeredAt":%d+,"hash":"%x+","callId":("[^"]*"),()'
local call = redis.call
local t = call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)

local old = call('GET', ckey)
local same, ended = false, 0
if old then
  local ref, expires, seq, id, at = string.match(old, HEAD)
  if at and tonumber(expires) > now then
    same, ended = string.sub(old, at) == ARGV[9], tonumber(expires)
    if id == ARGV[8] then
      local diff = tonumber(seq) - tonumber(ARGV[7])
      if diff > 0 or diff == 0 and same and not gone and expires == ARGV[6] then return 0 end
    elseif tonumber(ref) > tonumber(ARGV[5]) then
      return 0
    end
  else
    old = false
  end
end

local function emit(kind, expires, value)
  call('XADD', skey, 'MAXLEN', '~', ARGV[11], '*', 'k', kind, 'm', member, 'e', expires, 'v', value)
end

if gone then
  if not old then return 0 end
  call('DEL', ckey)
  call('ZREM', akey, cid)
  call('ZREM', xkey, member)
  emit('removed', ARGV[6], old)
  return 1
end
if tonumber(ARGV[6]) <= now then return 0 end
local value = '{"v":2,"refreshedAt":' .. ARGV[5] .. ',"expiresAt":' .. ARGV[6] .. ',"cseq":' .. ARGV[7] ..
  ',"registeredAt":' .. ARGV[4] .. ',"hash":"' .. ARGV[10] .. '","callId":' .. ARGV[8] .. ',' .. ARGV[9]
call('SET', ckey, value, 'PXAT', ARGV[6])
call('ZADD', akey, ARGV[6], cid)
call('ZADD', xkey, ARGV[6], member)
if not old then
  emit('added', ARGV[6], value)
elseif not same then
  emit('changed', ARGV[6], value)
elseif tonumber(ARGV[6]) < ended then
  emit('refreshed', ARGV[6], value)
end
return 1
