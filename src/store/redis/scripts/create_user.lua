-- Adds a user whose id and address are free.
--
-- KEYS: counter, log, user, address, all users, active admins, reset token (or the counter).
-- ARGV: entry (5), record, id, whether an active admin, whether there is a reset token.
if redis.call('EXISTS', KEYS[3]) == 1 then
  return {'conflict'}
end
if redis.call('EXISTS', KEYS[4]) == 1 then
  return {'email_taken'}
end
local number, refusal = record()
if not number then
  return refusal
end
redis.call('SET', KEYS[3], ARGV[6])
redis.call('SET', KEYS[4], ARGV[7])
redis.call('ZADD', KEYS[5], 0, ARGV[7])
if ARGV[8] == '1' then
  redis.call('SADD', KEYS[6], ARGV[7])
end
if ARGV[9] == '1' then
  redis.call('SET', KEYS[7], ARGV[7])
end
return {'ok', number}
