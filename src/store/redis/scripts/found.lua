-- Makes an empty store one of its own, and answers which store this is: nothing where there are
-- records without an identity. Of several nodes that begin at once, all get the same answer.
--
-- KEYS: identity, then every key that no store with a record is without.
-- ARGV: the identity to give.
local known = redis.call('GET', KEYS[1])
if known then
  return known
end
for index = 2, #KEYS do
  if redis.call('EXISTS', KEYS[index]) == 1 then
    return false
  end
end
redis.call('SET', KEYS[1], ARGV[1])
return ARGV[1]
