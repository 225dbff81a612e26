-- One Update of one AOR, all or nothing. The rules are those of rules.go.
-- KEYS: bindings of the AOR (zset), index of the shard (zset), stream of the
--       shard, then the key of each contact.
-- ARGV: 1 prefix of contact keys, 2 prefix of index members, 3 Call-ID and
--       4 CSeq (as in JSON), 5 most contacts (0 no bound), 6 wildcard ('' no,
--       '*' all, else the device as in JSON), 7 length of the stream, then per
--       contact: id, ttl in ms, content.
-- A value is HEAD .. content, see record.go; equal content is equal text.
-- Reply: status (0 done, 1 repetition, -1 stale, -2 too many), now in ms, then
--       per contact when it was registered (0: it is not), then the values of
--       all other bindings; after a repetition those of all.
local akey, xkey, skey = KEYS[1], KEYS[2], KEYS[3]
local kprefix, mprefix, callid, cseqtext = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local cseq, max, scope, keep = tonumber(ARGV[4]), tonumber(ARGV[5]), ARGV[6], ARGV[7]
local ncontacts = #KEYS - 3
local HEAD = '^{"v":1,"registeredAt":(%d+),"refreshedAt":(%d+),"expiresAt":(%d+),"cseq":(%d+),"callId":("[^"]*"),()'
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)

local stored, order, dead, cids, keys = {}, {}, {}, {}, {}
local members = redis.call('ZRANGE', akey, 0, -1, 'WITHSCORES')
for i = 1, #members, 2 do
  local score = tonumber(members[i + 1])
  if score > now then
    cids[#cids + 1] = members[i]
    keys[#keys + 1] = kprefix .. members[i]
    stored[members[i]] = { score = score }
  else
    dead[#dead + 1] = { members[i], score }
  end
end
if #keys > 0 then
  local values = redis.call('MGET', unpack(keys))
  for i, cid in ipairs(cids) do
    if values[i] then
      stored[cid].value = values[i]
      order[#order + 1] = cid
    else
      dead[#dead + 1] = { cid, stored[cid].score }
      stored[cid] = nil
    end
  end
end

local function parsed(cid)
  local b = stored[cid]
  if b and not b.content then
    local reg, ref, _, seq, call, at = string.match(b.value, HEAD)
    b.reg, b.ref, b.cseq, b.callid = tonumber(reg) or now, tonumber(ref) or now, tonumber(seq) or 0, call
    b.content = at and string.sub(b.value, at) or ''
    b.device = string.match(b.content, '^"device":("[^"]*"),')
  end
  return b
end

local function stale(b) return b.callid == callid and cseq <= b.cseq end

-- Nothing is written before everything is decided.
local contacts, named, drops = {}, {}, {}
for i = 1, ncontacts do
  local at = 8 + 3 * (i - 1)
  local c = { cid = ARGV[at], ttl = tonumber(ARGV[at + 1]), content = ARGV[at + 2], key = KEYS[3 + i] }
  contacts[i] = c
  named[c.cid] = true
end

local count = #order
if scope ~= '' then
  for _, cid in ipairs(order) do
    local b = parsed(cid)
    if scope == '*' or b.device == scope then
      if stale(b) then return { -1, now } end
      drops[#drops + 1] = { cid, 'removed' }
    end
  end
else
  local repeated, fresh = false, false
  for _, c in ipairs(contacts) do
    local b = parsed(c.cid)
    if not b then
      fresh = fresh or c.ttl > 0
    elseif not stale(b) then
      fresh = true
    elseif c.ttl > 0 and cseq == b.cseq and c.content == b.content then
      repeated = true
    else
      return { -1, now }
    end
  end
  if repeated then
    if fresh then return { -1, now } end
    local reply = { 1, now }
    for _, cid in ipairs(order) do reply[#reply + 1] = stored[cid].value end
    return reply
  end
  local adds = {}
  for _, c in ipairs(contacts) do
    local b = stored[c.cid]
    if b and c.ttl == 0 then
      drops[#drops + 1] = { c.cid, 'removed' }
      b.gone = true
      count = count - 1
    elseif not b and c.ttl > 0 then
      adds[#adds + 1] = c
    end
  end
  for _, c in ipairs(adds) do
    local device = string.match(c.content, '^"device":("[^"]*"),')
    while max > 0 and count >= max do
      local victim, v
      if device ~= '""' then
        for _, cid in ipairs(order) do
          local b = stored[cid]
          if not b.gone and not named[cid] then
            parsed(cid)
            if b.device == device and (not v or b.ref < v.ref or b.ref == v.ref and
                (b.reg < v.reg or b.reg == v.reg and cid < victim)) then
              victim, v = cid, b
            end
          end
        end
      end
      if not victim then return { -2, now } end
      v.gone = true
      count = count - 1
      c.evicts = c.evicts or {}
      c.evicts[#c.evicts + 1] = victim
    end
    count = count + 1
  end
end

local function emit(kind, cid, score, value)
  redis.call('XADD', skey, 'MAXLEN', '~', keep, '*', 'k', kind, 'm', mprefix .. cid, 'e', score, 'v', value)
end

local function drop(cid, kind)
  local b = stored[cid]
  redis.call('DEL', kprefix .. cid)
  redis.call('ZREM', akey, cid)
  redis.call('ZREM', xkey, mprefix .. cid)
  emit(kind, cid, b.score, b.value)
  stored[cid] = nil
end

for _, d in ipairs(dead) do
  redis.call('ZREM', akey, d[1])
  if redis.call('ZREM', xkey, mprefix .. d[1]) == 1 then emit('expired', d[1], d[2], '') end
end
for _, d in ipairs(drops) do drop(d[1], d[2]) end

local function put(c)
  local b = stored[c.cid]
  local reg = b and b.reg or now
  local expires = now + c.ttl
  local value = string.format('{"v":1,"registeredAt":%.0f,"refreshedAt":%.0f,"expiresAt":%.0f,"cseq":%s,"callId":%s,',
    reg, now, expires, cseqtext, callid) .. c.content
  local old = not b and redis.call('ZSCORE', xkey, mprefix .. c.cid)
  redis.call('SET', c.key, value, 'PXAT', expires)
  redis.call('ZADD', akey, expires, c.cid)
  redis.call('ZADD', xkey, expires, mprefix .. c.cid)
  if not b then
    -- The zset of the AOR may have run out with its last binding before anyone
    -- could report that one.
    if old then emit('expired', c.cid, old, '') end
    emit('added', c.cid, expires, value)
  elseif b.content ~= c.content then
    emit('changed', c.cid, expires, value)
  end
  stored[c.cid] = { score = expires, reg = reg }
end

for _, c in ipairs(contacts) do
  if c.ttl > 0 and stored[c.cid] then put(c) c.done = true end
end
for _, c in ipairs(contacts) do
  if c.ttl > 0 and not c.done then
    for _, cid in ipairs(c.evicts or {}) do drop(cid, 'evicted') end
    put(c)
  end
end

local reply = { 0, now }
for i, c in ipairs(contacts) do reply[2 + i] = stored[c.cid] and stored[c.cid].reg or 0 end
local last = 0
for cid, b in pairs(stored) do
  if b.score > last then last = b.score end
  if not named[cid] then reply[#reply + 1] = b.value end
end
if last > 0 and (ncontacts > 0 or scope ~= '') then redis.call('PEXPIREAT', akey, string.format('%.0f', last)) end
return reply
