-- Deletes a user and makes tombstones of their keys: the user must be the one the node read, and the
-- keys all that they have. The last active admin stays, unless a deletion is only made again.
--
-- KEYS: counter, log, user, address, all users, active admins, reset token (or the counter), the
-- user's keys, what is due, then each key.
-- ARGV: entry (5), record, id, whether an admin must be left, whether there is a reset token, when the
-- tombstones are due, then for each key its record, its tombstone, its digest and its name in what is due.
if redis.call('GET', KEYS[3]) ~= ARGV[6] or redis.call('ZCARD', KEYS[8]) ~= #KEYS - 9 then
  return {'raced'}
end
for index = 10, #KEYS do
  local at = 10 + (index - 10) * 4
  if redis.call('GET', KEYS[index]) ~= ARGV[at + 1] or not redis.call('ZSCORE', KEYS[8], ARGV[at + 3]) then
    return {'raced'}
  end
end
if ARGV[8] == '1' and redis.call('SCARD', KEYS[6]) <= 1 then
  return {'last_admin'}
end
local number, refusal = record()
if not number then
  return refusal
end
for index = 10, #KEYS do
  local at = 10 + (index - 10) * 4
  redis.call('SET', KEYS[index], ARGV[at + 2])
  redis.call('ZADD', KEYS[9], ARGV[10], ARGV[at + 4])
end
redis.call('DEL', KEYS[3], KEYS[4], KEYS[8])
redis.call('ZREM', KEYS[5], ARGV[7])
redis.call('SREM', KEYS[6], ARGV[7])
if ARGV[9] == '1' and redis.call('GET', KEYS[7]) == ARGV[7] then
  redis.call('DEL', KEYS[7])
end
return {'ok', number}
