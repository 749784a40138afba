-- Makes a tombstone of the very key that the node read. Of a tombstone it makes the same one, and says
-- so in the log again: who repeats a revocation may be the first to be heard.
--
-- KEYS: counter, log, key, the owner's keys, what is due.
-- ARGV: entry (5), record, tombstone, digest, its name in what is due, when it is due.
if redis.call('GET', KEYS[3]) ~= ARGV[6] then
  return {'raced'}
end
local number, refusal = record()
if not number then
  return refusal
end
redis.call('SET', KEYS[3], ARGV[7])
redis.call('ZREM', KEYS[4], ARGV[8])
redis.call('ZADD', KEYS[5], ARGV[10], ARGV[9])
return {'ok', number}
