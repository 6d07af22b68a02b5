--| # QR codes
--|
--| A token's QR code holds its text form, in alphanumeric mode and with error correction level M, in the smallest symbol that it fits, with
--| the four light modules around it that readers need. A token whose text is longer than 3391 characters has none: `54000`.
--|
--| `anshim.qr(token)` → `text`: for a terminal, two rows of modules a line in the block characters of Unicode. It is drawn for light text
--| on a dark ground; say `inverse => true` where the terminal writes dark on light. In psql, `\pset format unaligned` and `\pset
--| tuples_only` keep its lines in shape. The database's encoding must be UTF8.
CREATE FUNCTION anshim.qr(token anshim.token, inverse boolean DEFAULT false) RETURNS pg_catalog.text
AS 'MODULE_PATHNAME', 'anshim_qr' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 30000;
COMMENT ON FUNCTION anshim.qr(anshim.token, boolean) IS 'the token''s QR code for a terminal';

--| `anshim.qr_svg(token)` → `text`: an SVG image, one `<svg>` element of black on white, for a poster. It names no size, so it fills the page or the
--| viewport that it is put in: inside another SVG,
--| `'<svg x="20" y="60" width="170" height="170">' || anshim.qr_svg(token) || '</svg>'`.
CREATE FUNCTION anshim.qr_svg(token anshim.token) RETURNS pg_catalog.text
AS 'MODULE_PATHNAME', 'anshim_qr_svg' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 40000;
COMMENT ON FUNCTION anshim.qr_svg(anshim.token) IS 'the token''s QR code as an SVG image';
