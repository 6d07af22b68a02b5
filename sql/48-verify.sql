--| # Verifying chains
--|
--| ## anshim.verify_chain
--|
--| Verifies a chained table and its log, and returns a row for whatever is amiss: no row, and all is as it was appended, sealed and signed. It hashes
--| every row again, puts its link into the tree, and compares every node, block and segment with what comes out; it replays the chain's events, and
--| compares the catalog, the triggers and the indexes with what these say.
--|
--| - `checkpoint`: a checkpoint that was kept outside of the database. Only that proves that rows and log were not rewritten together, by somebody who
--|   may do anything here; verify with the newest that you have.
--| - `vkey`: the verifier key of who signed it, kept outside as well; its name is the log's origin. Without it, the keys of `anshim.key` are believed.
--| - `witnesses`, `quorum`: verifier keys of witnesses, so many of which (all, if not given) must have cosigned it.
--| - `from_block`: rows sealed in earlier blocks are counted, but not verified.
--| - `known_events`: that a trigger was switched off, and perhaps on again, is a finding for ever, as nobody can tell what was done meanwhile. When you have looked into
--|   it, give the event's `seq` here, and it and those before it are not told again.
--|
--| It needs the right to SELECT from all of the table, as findings name rows. Writers and sealers do not wait for it, and it runs on a standby as well. With
--| `anshim.progress` on, a NOTICE says every few seconds how far it is. On large logs parallel workers help: as many as `max_parallel_workers_per_gather`.
--|
--| | finding | meaning |
--| | --- | --- |
--| | `changed` | the row, or its link, is not the one that was appended |
--| | `missing` | rows that were appended are gone |
--| | `inserted` | the row was never appended: it has no link, or one that has no place, or no index leads to it, or it is back after `anshim.expire` |
--| | `moved` | the row is in another table or partition than its own |
--| | `out of order` | the position index has the row in another place than its link says |
--| | `segment root differs` | the rows of a segment are not those that were sealed, though their links fit to each other; or the segment itself was edited |
--| | `block differs` | a block is missing, or its size or root is not that of its rows |
--| | `node differs` | a stored node of the tree is not what the rows make |
--| | `expiry differs` | what is recorded of expired rows contradicts the chain's events |
--| | `layout differs` | the same of columns; or a row's layout is not there, or a column that no link covers is |
--| | `table differs` | the same of the table's name and its partitions |
--| | `log differs from the checkpoint` | the log is not the one that was signed |
--| | `rolled back` | a longer log was signed here, by the file in `anshim.head_directory` |
--| | `checkpoint signature bad` | the checkpoint cannot be read, or was not signed by a key that is to be believed |
--| | `cosignatures missing` | too few witnesses have cosigned it |
--| | `trigger missing or disabled` | a guard is not in its place, or was not |
--| | `position index missing or wrong` | rows of a table cannot be verified for want of its index |
--|
--| ```sql
--| SELECT * FROM anshim.verify_chain('visit', checkpoint => '...', vkey => 'example.org/visits+1234abcd+AQ...');
--| ```
CREATE FUNCTION anshim.verify_chain(target regclass, checkpoint text DEFAULT NULL, from_block bigint DEFAULT NULL,
	vkey text DEFAULT NULL, witnesses text[] DEFAULT NULL, quorum integer DEFAULT NULL, known_events bigint DEFAULT NULL)
RETURNS TABLE (finding text, strand integer, seq bigint, detail text)
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000000 ROWS 1
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'anshim_verify_chain';
COMMENT ON FUNCTION anshim.verify_chain(regclass, text, bigint, text, text[], integer, bigint)
IS 'what is amiss with a chained table and its log; no row: intact';
