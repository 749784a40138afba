-- Writes a user's record in the place of the very one that the node decided on, and moves its
-- indexes. The last active admin stays one, unless a change is only made again.
--
-- KEYS: counter, log, user, old address, new address, active admins, old and new reset token (or the
-- counter).
-- ARGV: entry (5), old record, new record, id, whether an admin must be left, whether an active admin now,
-- whether there was and is a reset token.
if redis.call('GET', KEYS[3]) ~= ARGV[6] then
  return {'raced'}
end
local id = ARGV[8]
local owner = redis.call('GET', KEYS[5])
if owner and owner ~= id then
  return {'email_taken'}
end
if ARGV[9] == '1' and redis.call('SCARD', KEYS[6]) <= 1 then
  return {'last_admin'}
end
local number, refusal = record()
if not number then
  return refusal
end
redis.call('SET', KEYS[3], ARGV[7])
redis.call('DEL', KEYS[4])
redis.call('SET', KEYS[5], id)
redis.call(ARGV[10] == '1' and 'SADD' or 'SREM', KEYS[6], id)
if ARGV[11] == '1' and redis.call('GET', KEYS[7]) == id then
  redis.call('DEL', KEYS[7])
end
if ARGV[12] == '1' then
  redis.call('SET', KEYS[8], id)
end
return {'ok', number}
