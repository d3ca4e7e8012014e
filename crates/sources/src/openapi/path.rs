//! The path of an operation as pieces: literal text and places for parameters.

use super::binding::Piece;

/// A path's segments, and the query that some descriptions write into it. A fragment is dropped:
/// it is never sent, and descriptions use it to give one path several operations.
pub(super) fn parse(path: &str) -> (Vec<Vec<Piece>>, Option<&str>) {
    let path = path.split('#').next().unwrap_or_default();
    let (path, query) = match path.split_once('?') {
        Some((path, query)) => (path, Some(query).filter(|query| !query.is_empty())),
        None => (path, None),
    };
    if path.is_empty() {
        return (Vec::new(), query);
    }
    let path = path.strip_prefix('/').unwrap_or(path);
    (path.split('/').map(segment).collect(), query)
}

/// The names of a path's parameters.
pub(super) fn names(path: &str) -> Vec<&str> {
    let path = path.split(['#', '?']).next().unwrap_or_default();
    path.split('/')
        .flat_map(|segment| segment.split('{').skip(1))
        .filter_map(|rest| Some(rest.split_once('}')?.0))
        .collect()
}

fn segment(text: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        let Some((name, after)) = after.split_once('}') else { break };
        if !before.is_empty() {
            pieces.push(Piece::Literal(before.to_owned()));
        }
        pieces.push(Piece::Parameter(name.to_owned()));
        rest = after;
    }
    if !rest.is_empty() || pieces.is_empty() {
        pieces.push(Piece::Literal(rest.to_owned()));
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_read_piece_by_piece() {
        let literal = |text: &str| Piece::Literal(text.to_owned());
        let parameter = |text: &str| Piece::Parameter(text.to_owned());
        assert_eq!(
            parse("/v1/{a}.{b}/x:{c}/"),
            (
                vec![
                    vec![literal("v1")],
                    vec![parameter("a"), literal("."), parameter("b")],
                    vec![literal("x:"), parameter("c")],
                    vec![literal("")],
                ],
                None
            )
        );
        assert_eq!(parse("/"), (vec![vec![literal("")]], None));
        assert_eq!(parse("/a?b=c#d"), (vec![vec![literal("a")]], Some("b=c")));
        assert_eq!(parse("/{open"), (vec![vec![literal("{open")]], None));
        assert_eq!(names("/{a}/b{b}.{c}?d={e}"), ["a", "b", "c"]);
    }
}
