//! The types of PostgreSQL whose binary form is known here. All others are foreign: their values
//! are read and given as text, which every type has.

use sqlx::{
    TypeInfo as _,
    postgres::{PgTypeInfo, PgTypeKind, types::Oid},
};

use super::super::datum::Shape;

/// `text`, and the array of it (<https://github.com/postgres/postgres/blob/REL_15_STABLE/src/include/catalog/pg_type.dat>).
pub(super) const TEXT: u32 = 25;
pub(super) const TEXT_LIST: u32 = 1009;
pub(super) const INT8: u32 = 20;

/// A type, by its binary form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::sql) enum Kind {
    Boolean,
    Int2,
    Int4,
    Int8,
    Oid,
    Float4,
    Float8,
    Numeric,
    /// Text, and what has text for its binary form: enums, xml, citext.
    Text,
    Uuid,
    Bytes,
    Date,
    Time,
    Timestamp,
    TimestampTz,
    Interval,
    Network,
    Json,
    Jsonb,
    /// What a function returns that returns nothing.
    Void,
    List {
        item: Box<Self>,
        /// The items' type.
        oid: u32,
    },
}

impl Kind {
    /// `None`: foreign. A domain is what it is made from.
    pub(super) fn of(type_info: &PgTypeInfo) -> Option<Self> {
        match type_info.kind() {
            PgTypeKind::Domain(base) => return Self::of(base),
            PgTypeKind::Array(item) => {
                return Some(Self::List { item: Box::new(Self::of(item)?), oid: item.oid()?.0 });
            }
            PgTypeKind::Enum(_) => return Some(Self::Text),
            PgTypeKind::Composite(_) | PgTypeKind::Range(_) => return None,
            PgTypeKind::Simple | PgTypeKind::Pseudo => {}
        }
        Some(match type_info.oid()?.0 {
            16 => Self::Boolean,
            21 => Self::Int2,
            23 => Self::Int4,
            INT8 => Self::Int8,
            26 => Self::Oid,
            700 => Self::Float4,
            701 => Self::Float8,
            1700 => Self::Numeric,
            // "char", name, text, xml, unknown, char, varchar.
            18 | 19 | TEXT | 142 | 705 | 1042 | 1043 => Self::Text,
            2950 => Self::Uuid,
            17 => Self::Bytes,
            1082 => Self::Date,
            1083 => Self::Time,
            1114 => Self::Timestamp,
            1184 => Self::TimestampTz,
            1186 => Self::Interval,
            650 | 869 => Self::Network,
            114 => Self::Json,
            3802 => Self::Jsonb,
            2278 => Self::Void,
            _ => match type_info.name().rsplit('.').next() {
                Some("citext") => Self::Text,
                _ => return None,
            },
        })
    }

    /// Whether values of this type are bound in its binary form; the others are bound as text, and
    /// PostgreSQL reads them.
    pub(super) fn is_bound(&self) -> bool {
        match self {
            Self::Numeric | Self::Interval | Self::Network | Self::Void => false,
            Self::List { item, .. } => item.is_bound(),
            _ => true,
        }
    }

    /// What a column of this type is published as.
    pub(super) fn shape(&self) -> Shape {
        match self {
            Self::Boolean => Shape::OnlyBoolean,
            Self::Int2 | Self::Int4 | Self::Oid => Shape::OnlyInteger,
            Self::Int8 => Shape::Integer,
            Self::Float4 | Self::Float8 => Shape::OnlyNumber,
            Self::Json | Self::Jsonb => Shape::Json,
            Self::List { item, .. } => Shape::OnlyList(Box::new(item.shape())),
            Self::Numeric
            | Self::Text
            | Self::Uuid
            | Self::Bytes
            | Self::Date
            | Self::Time
            | Self::Timestamp
            | Self::TimestampTz
            | Self::Interval
            | Self::Network
            | Self::Void => Shape::Text,
        }
    }
}

/// The type with this number.
pub(super) const fn type_info(oid: u32) -> PgTypeInfo {
    PgTypeInfo::with_oid(Oid(oid))
}

/// A type whose values go in or come out as text: how the cast is written, the number of the type,
/// and what it is.
pub(super) fn as_text(type_info: &PgTypeInfo) -> (&'static str, u32, Kind) {
    match type_info.kind() {
        PgTypeKind::Domain(base) => as_text(base),
        PgTypeKind::Array(_) => ("text[]", TEXT_LIST, Kind::List { item: Box::new(Kind::Text), oid: TEXT }),
        _ => ("text", TEXT, Kind::Text),
    }
}
