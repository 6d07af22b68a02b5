--| # Lawful expiry
--|
--| ## anshim.expire
--|
--| Removes what was sealed before a time, and returns how many rows went: of every strand the segments of all blocks that are older, up to the first that is
--| not. Rows that are not sealed never go. The chain stays verifiable: the hashes that the tree still needs are kept, so that old
--| checkpoints still prove, and the expiry itself is an event in the log, for ever. Only the table's owner may call it, and only if she was granted `EXECUTE`.
--|
--| What goes is verified first. If a row was changed, the call says which, and removes nothing. All of it happens in one transaction: after a crash, or an error,
--| nothing has gone, and the next call does it.
--|
--| A partition whose rows all go is dropped, and its space is free at once, if it is one of a range of times (of a timestamp, timestamptz or date) that
--| ends before `before`, and in the past. That needs its parent for itself, for which it waits no longer than `lock_timeout`, or two seconds if there is
--| none. In all other cases rows are deleted: VACUUM makes their space free for new rows.
--|
--| Foreign keys that refer to the table must not follow deletions (ON DELETE CASCADE, SET NULL or SET DEFAULT).
--|
--| The hash of a removed row cannot be turned back into the row as long as the row held something that nobody can guess: keep a column such as
--| `id uuid DEFAULT gen_random_uuid()`, as visit logs have.
--|
--| ```sql
--| SELECT anshim.expire('visit', now() - interval '28 days');
--| ```
CREATE FUNCTION anshim.expire(target regclass, before timestamptz)
RETURNS bigint
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000000
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'anshim_expire';
COMMENT ON FUNCTION anshim.expire(regclass, timestamptz) IS 'removes rows that were sealed before a time; the chain stays verifiable';
REVOKE ALL ON FUNCTION anshim.expire(regclass, timestamptz) FROM PUBLIC;
