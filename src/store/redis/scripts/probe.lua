-- Tries each command that scripts use on keys that are gone afterwards, and answers the ones that the
-- server's ACL does not let us use.
--
-- KEYS: a text, a hash, a set, a sorted set, a stream.
local text, hash, set, sorted, stream = unpack(KEYS)
local forbidden = {}
local function try(name, ...)
  local answer = redis.pcall(name, ...)
  if type(answer) == 'table' and answer.err
    and (answer.err:find('NOPERM') or answer.err:find("can't run this command")) then
    table.insert(forbidden, name)
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
