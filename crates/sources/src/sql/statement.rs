//! Reads one statement: finds its parameters, makes sure that it is one, and reads its effect.
//! Whether the SQL is right is for the database to say, when the statement is prepared.

use bridgehead_core::Effect;
use sqlparser::{
    ast::{OnConflictAction, OnInsert, Query, SetExpr, SqliteOnConflict, Statement as Parsed},
    dialect::Dialect as Grammar,
    parser::Parser,
    tokenizer::{Location, Token, Tokenizer},
};

/// How a database writes its SQL.
#[derive(Debug, Clone, Copy)]
pub(super) struct Dialect {
    /// Tokens and grammar.
    pub(super) grammar: &'static dyn Grammar,
    /// Whether `@name` is a parameter; else `@` is an operator.
    pub(super) at_sign: bool,
    /// Whether `$name` is a parameter.
    pub(super) dollar: bool,
    /// Whether a colon without a name may stand in square brackets, as in `a[1:2]`.
    pub(super) slices: bool,
    /// Whether operators may be made of these characters; else one that has them in it may be an
    /// operator and the mark of a parameter, as in `<@name`.
    pub(super) operators: &'static [char],
}

/// A statement as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Statement {
    pieces: Vec<Piece>,
    /// The names of its parameters, each once, in order.
    pub(super) parameters: Vec<String>,
    /// What the statement does.
    pub(super) effect: Effect,
    /// Whether it may have a `*` for columns, whose number changes with the tables.
    pub(super) has_star: bool,
    /// Whether it may have NULL in columns whose tables have none: an outer join, a rollup.
    pub(super) may_add_nulls: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    /// Text that goes to the database as it is.
    Text(String),
    /// Where a parameter stands: its place among the names.
    Parameter(usize),
}

impl Statement {
    /// The SQL without a trailing semicolon, with what `mark` says for each parameter: it gets the
    /// parameter's place among the names, and how many marks stand before it.
    pub(super) fn sql(&self, mut mark: impl FnMut(usize, usize) -> String) -> String {
        let mut before = 0;
        let mut sql = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => sql.push_str(text),
                Piece::Parameter(parameter) => {
                    sql.push_str(&mark(*parameter, before));
                    before += 1;
                }
            }
        }
        sql
    }
}

/// One token with the text it stands for.
struct Lexeme<'a> {
    token: Token,
    text: &'a str,
}

const ONE_STATEMENT: &str =
    "A tool is exactly one statement, and here are several. Make a tool of each, or join them into one with WITH.";

/// Reads one statement.
///
/// # Errors
/// What is wrong with it and how to mend it.
pub(super) fn parse(dialect: Dialect, sql: &str) -> Result<Statement, String> {
    const ADD_NULLS: [&str; 6] = ["LEFT", "RIGHT", "FULL", "ROLLUP", "CUBE", "SETS"];
    let lexemes = lex(dialect, sql)?;
    let lexemes = only_statement(&lexemes)?;
    let effect = effect(dialect, lexemes)?;
    let (pieces, parameters) = pieces(dialect, lexemes)?;
    let has_star = lexemes.iter().any(|lexeme| lexeme.token == Token::Mul);
    let may_add_nulls =
        lexemes.iter().any(|lexeme| ADD_NULLS.iter().any(|word| lexeme.text.eq_ignore_ascii_case(word)));
    Ok(Statement { pieces, parameters, effect, has_star, may_add_nulls })
}

fn lex(dialect: Dialect, sql: &str) -> Result<Vec<Lexeme<'_>>, String> {
    let tokens = Tokenizer::new(dialect.grammar, sql)
        .with_unescape(false)
        .tokenize_with_location()
        .map_err(|error| format!("This is not SQL: {error}"))?;
    let mut place = Place { sql, byte: 0, at: Location { line: 1, column: 1 } };
    let starts: Vec<usize> = tokens.iter().map(|token| place.byte_of(token.span.start)).collect();
    let ends = starts.iter().skip(1).copied().chain([sql.len()]);
    Ok(tokens
        .into_iter()
        .zip(starts.iter().zip(ends))
        .map(|(token, (&start, end))| Lexeme { token: token.token, text: sql.get(start..end).unwrap_or_default() })
        .collect())
}

/// Turns the tokenizer's line and column into a byte offset, going forward only.
struct Place<'a> {
    sql: &'a str,
    byte: usize,
    at: Location,
}

impl Place<'_> {
    fn byte_of(&mut self, wanted: Location) -> usize {
        while self.at < wanted {
            let Some(character) = self.sql.get(self.byte..).and_then(|rest| rest.chars().next()) else { break };
            self.byte += character.len_utf8();
            if character == '\n' {
                self.at = Location { line: self.at.line + 1, column: 1 };
            } else {
                self.at.column += 1;
            }
        }
        self.byte
    }
}

fn is_space(lexeme: &Lexeme<'_>) -> bool {
    matches!(lexeme.token, Token::Whitespace(_))
}

/// The tokens of the one statement, without what stands behind its last one.
fn only_statement<'a, 'b>(lexemes: &'b [Lexeme<'a>]) -> Result<&'b [Lexeme<'a>], String> {
    let semicolon = lexemes.iter().position(|lexeme| lexeme.token == Token::SemiColon).unwrap_or(lexemes.len());
    let (statement, rest) = lexemes.split_at(semicolon);
    if rest.iter().any(|lexeme| !is_space(lexeme) && lexeme.token != Token::SemiColon) {
        return Err(ONE_STATEMENT.into());
    }
    let end = statement.iter().rposition(|lexeme| !is_space(lexeme)).map_or(0, |last| last + 1);
    match statement.get(..end) {
        Some(statement) if !statement.is_empty() => Ok(statement),
        _ => Err("There is no statement here. Write one SELECT, INSERT, UPDATE or DELETE.".into()),
    }
}

/// Finds the parameters. The same name is the same parameter wherever it stands.
fn pieces(dialect: Dialect, lexemes: &[Lexeme<'_>]) -> Result<(Vec<Piece>, Vec<String>), String> {
    let mut pieces = Vec::new();
    let mut names: Vec<String> = Vec::new();
    let mut number = |name: &str| {
        Piece::Parameter(names.iter().position(|known| known == name).unwrap_or_else(|| {
            names.push(name.to_owned());
            names.len() - 1
        }))
    };
    let mut brackets = 0_usize;
    let mut rest = lexemes.iter().peekable();
    while let Some(lexeme) = rest.next() {
        let text = Piece::Text(lexeme.text.to_owned());
        pieces.push(match &lexeme.token {
            Token::AtSign if !dialect.at_sign => text,
            Token::Colon | Token::AtSign => match rest.next_if(|next| is_name(next)) {
                Some(name) => number(name.text),
                None if brackets > 0 && dialect.slices => text,
                None => {
                    return Err(format!(
                        "`{}` stands here without the name of a parameter. Write it as :name, a letter first.",
                        lexeme.text
                    ));
                }
            },
            Token::Placeholder(_) => {
                match lexeme.text.strip_prefix('$').filter(|name| dialect.dollar && is_identifier(name)) {
                    Some(name) => number(name),
                    None => {
                        return Err(format!(
                            "`{}` is a parameter without a name. Write it as :name, and declare `parameters.name`.",
                            lexeme.text
                        ));
                    }
                }
            }
            _ if !is_space(lexeme) && hides_a_parameter(dialect, lexeme.text) => {
                return Err(format!(
                    "It is not certain whether `{}` begins a parameter. Write a space before the parameter.",
                    lexeme.text
                ));
            }
            token => {
                match token {
                    Token::LBracket => brackets += 1,
                    Token::RBracket => brackets = brackets.saturating_sub(1),
                    _ => {}
                }
                text
            }
        });
    }
    Ok((pieces, names))
}

fn is_name(lexeme: &Lexeme<'_>) -> bool {
    matches!(&lexeme.token, Token::Word(word) if word.quote_style.is_none()) && is_identifier(lexeme.text)
}

fn is_identifier(text: &str) -> bool {
    let mut characters = text.chars();
    characters.next().is_some_and(|first| first == '_' || first.is_alphabetic())
        && characters.all(|character| character == '_' || character.is_alphanumeric())
}

/// Whether a token is an operator of another database that this one reads as an operator and the
/// mark of a parameter, such as `<@`.
fn hides_a_parameter(dialect: Dialect, text: &str) -> bool {
    const MARKS: [char; 4] = ['@', ':', '$', '?'];
    !["::", ":="].contains(&text)
        && text.contains(|character| MARKS.contains(&character) && !dialect.operators.contains(&character))
        && !text.starts_with(['\'', '"', '`', '[', '$'])
        && text.chars().all(|character| character.is_ascii_punctuation())
}

/// What the statement does. Where the parser does not know a piece of the database's grammar, the
/// verb alone decides; the grammar leaves no doubt about where that stands.
fn effect(dialect: Dialect, lexemes: &[Lexeme<'_>]) -> Result<Effect, String> {
    let tokens = lexemes.iter().map(|lexeme| lexeme.token.clone()).collect();
    match Parser::new(dialect.grammar).with_tokens(tokens).parse_statements() {
        Ok(statements) => match statements.as_slice() {
            [statement] => effect_of(statement).ok_or_else(|| refused(lexemes)),
            _ => Err(ONE_STATEMENT.into()),
        },
        Err(_) => effect_of_verb(lexemes).ok_or_else(|| refused(lexemes)),
    }
}

fn refused(lexemes: &[Lexeme<'_>]) -> String {
    let verb = lexemes.iter().find(|lexeme| !is_space(lexeme)).map(|l| l.text.to_uppercase()).unwrap_or_default();
    format!(
        "{verb} cannot be a tool: a tool reads or changes rows with SELECT, VALUES, INSERT, UPDATE or DELETE. \
         What prepares a SQLite database belongs into its `seed`; transactions are made by the server."
    )
}

fn effect_of(statement: &Parsed) -> Option<Effect> {
    match statement {
        Parsed::Query(query) => effect_of_query(query),
        Parsed::Insert(insert) => {
            let replaces = insert.replace_into
                || insert.overwrite
                || insert.or == Some(SqliteOnConflict::Replace)
                || match &insert.on {
                    Some(OnInsert::OnConflict(conflict)) => matches!(conflict.action, OnConflictAction::DoUpdate(_)),
                    Some(_) => true,
                    None => false,
                };
            let source = insert.source.as_ref().map_or(Some(Effect::Read), |query| effect_of_query(query))?;
            Some(source.max(if replaces { Effect::Destructive } else { Effect::Write }))
        }
        Parsed::Update(_) | Parsed::Delete(_) | Parsed::Merge(_) => Some(Effect::Destructive),
        _ => None,
    }
}

fn effect_of_query(query: &Query) -> Option<Effect> {
    let mut effect = effect_of_body(&query.body)?;
    for table in query.with.iter().flat_map(|with| &with.cte_tables) {
        effect = effect.max(effect_of_query(&table.query)?);
    }
    Some(effect)
}

fn effect_of_body(body: &SetExpr) -> Option<Effect> {
    match body {
        SetExpr::Select(select) => select.into.is_none().then_some(Effect::Read),
        SetExpr::Values(_) => Some(Effect::Read),
        SetExpr::Query(query) => effect_of_query(query),
        SetExpr::SetOperation { left, right, .. } => Some(effect_of_body(left)?.max(effect_of_body(right)?)),
        SetExpr::Insert(statement)
        | SetExpr::Update(statement)
        | SetExpr::Delete(statement)
        | SetExpr::Merge(statement) => effect_of(statement),
        _ => None,
    }
}

/// The effect by the verb alone: the first word, or the first one behind the tables of a WITH.
fn effect_of_verb(lexemes: &[Lexeme<'_>]) -> Option<Effect> {
    let words: Vec<String> = lexemes.iter().filter(|l| !is_space(l)).map(|l| l.text.to_uppercase()).collect();
    let mut words = words.as_slice();
    if let [with, rest @ ..] = words
        && with == "WITH"
    {
        words = behind_tables(rest)?;
    }
    let contains = |run: &[&str]| words.windows(run.len()).any(|window| window.iter().eq(run.iter()));
    match words.first()?.as_str() {
        "SELECT" | "VALUES" => Some(Effect::Read),
        "INSERT" if contains(&["OR", "REPLACE"]) || contains(&["DO", "UPDATE"]) => Some(Effect::Destructive),
        "INSERT" => Some(Effect::Write),
        "REPLACE" | "UPDATE" | "DELETE" | "MERGE" => Some(Effect::Destructive),
        _ => None,
    }
}

/// What follows on `name (columns) AS (query), …` of a WITH.
fn behind_tables(mut words: &[String]) -> Option<&[String]> {
    if words.first().is_some_and(|word| word == "RECURSIVE") {
        words = words.get(1..)?;
    }
    loop {
        // The name may be any word, a verb too; the body is the bracket behind AS.
        words = words.get(1..)?;
        let body = words.iter().position(|word| word == "AS")?;
        words = words.get(body..)?;
        words = words.get(words.iter().position(|word| word == "(")?..)?;
        let mut depth = 0_usize;
        let end = words.iter().position(|word| {
            match word.as_str() {
                "(" => depth += 1,
                ")" => depth = depth.saturating_sub(1),
                _ => {}
            }
            depth == 0
        })?;
        words = words.get(end + 1..)?;
        match words.first() {
            Some(comma) if comma == "," => words = words.get(1..)?,
            _ => return Some(words),
        }
    }
}

#[cfg(test)]
mod tests;
