-- Tries each command that scripts use on keys that are gone afterwards, and answers the ones that the
-- server's ACL does not let us use. Redis 6.2, 7.0 and those since 7.2, Valkey too, each say that in words of
-- their own.
--
-- KEYS: a text, a hash, a set, a sorted set, a stream.
local text, hash, set, sorted, stream = unpack(KEYS)
local forbidden = {}
local function try(name, ...)
  local answer = redis.pcall(name, ...)
  local refusal = type(answer) == 'table' and answer.err or ''
  for _, words in ipairs({'NOPERM', "can't run this command", 'ACL failure'}) do
    if refusal:find(words, 1, true) then
      table.insert(forbidden, name)
      break
    end
  end
end
try('SET', text, '1', 'PX', 60000)
try('GET', text)
try('EXISTS', text)
try('HSET', hash, 'a', '1')
try('HEXISTS', hash, 'a')
try('HDEL', hash, 'a')
try('SADD', set, 'a')
try('SCARD', set)
try('SREM', set, 'a')
try('ZADD', sorted, 'GT', 1, 'a')
try('ZCARD', sorted)
try('ZCOUNT', sorted, '-inf', '+inf')
try('ZSCORE', sorted, 'a')
try('ZREM', sorted, 'a')
try('XADD', stream, 'MAXLEN', '~', 1, '*', 'a', '1')
try('TIME')
try('DEL', text, hash, set, sorted, stream)
return forbidden
