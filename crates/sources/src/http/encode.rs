//! Percent-encoding (RFC 3986 §2), in the two strengths that are needed: for values, which must
//! not mean anything, and for literal text, which may.

use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, utf8_percent_encode};

/// All but the unreserved characters (RFC 3986 §2.3).
const VALUE: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// All but what a segment may have (RFC 3986 §3.3 `pchar`); `%` is left alone, as literal text may
/// be encoded already.
const LITERAL: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'/')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');
/// As [`VALUE`], less what RFC 3986 §2.2 reserves (OpenAPI `allowReserved`); `&`, `#`, `+` and `%`
/// would end the value or change it, and stay encoded.
const RESERVED: &AsciiSet = &VALUE
    .remove(b':')
    .remove(b'/')
    .remove(b'?')
    .remove(b'[')
    .remove(b']')
    .remove(b'@')
    .remove(b'!')
    .remove(b'$')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')')
    .remove(b'*')
    .remove(b',')
    .remove(b';')
    .remove(b'=');

/// A value for any place in a URL: everything but `A-Z a-z 0-9 - . _ ~` is encoded, a space as
/// `%20`.
pub(crate) fn encode(value: &str) -> String {
    utf8_percent_encode(value, VALUE).to_string()
}

/// A value for the query in which reserved characters stand for themselves (OpenAPI
/// `allowReserved: true`).
pub(crate) fn encode_reserved(value: &str) -> String {
    utf8_percent_encode(value, RESERVED).to_string()
}

/// Literal text for one segment of a path; see [`super::Segment::literal`].
pub(crate) fn encode_literal(text: &str) -> String {
    utf8_percent_encode(text, LITERAL).to_string()
}
