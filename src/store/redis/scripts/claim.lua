-- Marks an empty store as being filled, so that no node begins on it, and answers whether it did: not
-- where there is a record.
--
-- KEYS: identity, then every key that no store with a record is without.
-- ARGV: the mark.
for index = 2, #KEYS do
  if redis.call('EXISTS', KEYS[index]) == 1 then
    return 0
  end
end
redis.call('SET', KEYS[1], ARGV[1])
return 1
