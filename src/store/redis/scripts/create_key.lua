-- Adds an API key to the very owner that the node found fit, when they have fewer than the bound that
-- work at the moment the key was made.
--
-- KEYS: counter, log, owner, key, ids of all keys, the owner's keys.
-- ARGV: entry (5), owner's record, record, id, digest, when it expires, when it was made, the bound.
if redis.call('GET', KEYS[3]) ~= ARGV[6] then
  return {'raced'}
end
if redis.call('EXISTS', KEYS[4]) == 1 or redis.call('HEXISTS', KEYS[5], ARGV[8]) == 1 then
  return {'conflict'}
end
if redis.call('ZCOUNT', KEYS[6], '(' .. ARGV[11], '+inf') >= tonumber(ARGV[12]) then
  return {'too_many_keys'}
end
local number, refusal = record()
if not number then
  return refusal
end
redis.call('SET', KEYS[4], ARGV[7])
redis.call('HSET', KEYS[5], ARGV[8], ARGV[9])
redis.call('ZADD', KEYS[6], ARGV[10], ARGV[9])
return {'ok', number}
