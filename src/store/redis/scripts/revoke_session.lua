-- Revokes a session; of several moments until which it must be remembered, the latest stands.
--
-- KEYS: counter, log, session, what is due.
-- ARGV: entry (5), record, its name in what is due, until when it must be remembered.
local number, refusal = record()
if not number then
  return refusal
end
local known = redis.call('ZSCORE', KEYS[4], ARGV[7])
if not known or tonumber(known) < tonumber(ARGV[8]) or redis.call('EXISTS', KEYS[3]) == 0 then
  redis.call('SET', KEYS[3], ARGV[6])
  redis.call('ZADD', KEYS[4], ARGV[8], ARGV[7])
end
return {'ok', number}
