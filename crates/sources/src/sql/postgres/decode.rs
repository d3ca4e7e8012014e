//! Values on their way out: PostgreSQL's binary forms
//! (<https://www.postgresql.org/docs/current/protocol-overview.html#PROTOCOL-FORMAT-CODES>).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use sqlx::{
    Column as _, Error, Row as _, ValueRef as _,
    error::BoxDynError,
    postgres::{PgRow, PgTypeInfo, PgValueRef},
};

use super::{
    super::{datum::Datum, rows::Row},
    calendar,
    kind::Kind,
};

impl Row for PgRow {
    fn place(&self, name: &str) -> Option<usize> {
        self.columns().iter().position(|column| column.name() == name)
    }

    fn value(&self, place: usize) -> Result<Datum, Error> {
        self.try_get_raw(place).and_then(|value| read(&value).map_err(Error::Decode))
    }

    fn key(&self, place: usize) -> Result<Datum, Error> {
        let value = self.try_get_raw(place)?;
        if value.is_null() {
            return Ok(Datum::Null);
        }
        value.as_bytes().map(|bytes| Datum::Blob(bytes.to_vec())).map_err(Error::Decode)
    }
}

fn read(value: &PgValueRef<'_>) -> Result<Datum, BoxDynError> {
    if value.is_null() {
        return Ok(Datum::Null);
    }
    let type_info: &PgTypeInfo = &value.type_info();
    let Some(kind) = Kind::of(type_info) else { return Ok(Datum::Foreign) };
    let bytes = value.as_bytes()?;
    datum(&kind, bytes).ok_or_else(|| format!("{} bytes are no {kind:?}", bytes.len()).into())
}

/// A value by its binary form. `None`: the bytes are not of this kind.
pub(super) fn datum(kind: &Kind, bytes: &[u8]) -> Option<Datum> {
    let mut rest = Bytes(bytes);
    Some(match kind {
        Kind::Boolean => Datum::Boolean(rest.array::<1>()? != [0]),
        Kind::Int2 => Datum::Integer(i16::from_be_bytes(rest.array()?).into()),
        Kind::Int4 => Datum::Integer(i32::from_be_bytes(rest.array()?).into()),
        Kind::Int8 => Datum::Integer(i64::from_be_bytes(rest.array()?)),
        Kind::Oid => Datum::Integer(u32::from_be_bytes(rest.array()?).into()),
        // By its own shortest digits: 0.1 and not 0.10000000149.
        Kind::Float4 => Datum::Real(f32::from_be_bytes(rest.array()?).to_string().parse().ok()?),
        Kind::Float8 => Datum::Real(f64::from_be_bytes(rest.array()?)),
        Kind::Numeric => Datum::Text(numeric(&mut rest)?),
        Kind::Text => Datum::Text(String::from_utf8_lossy(bytes).into_owned()),
        Kind::Uuid => Datum::Text(uuid(rest.array()?)),
        Kind::Bytes => Datum::Blob(bytes.to_owned()),
        Kind::Date => Datum::Text(calendar::date(rest.int4()?)),
        Kind::Time => Datum::Text(calendar::time(rest.int8()?)),
        Kind::Timestamp => Datum::Text(calendar::timestamp(rest.int8()?)),
        Kind::TimestampTz => Datum::Text(calendar::moment(rest.int8()?)),
        Kind::Interval => {
            let (micros, days, months) = (rest.int8()?, rest.int4()?, rest.int4()?);
            Datum::Text(calendar::interval(months, days, micros))
        }
        Kind::Network => Datum::Text(network(&mut rest)?),
        Kind::Json => json(bytes),
        Kind::Jsonb => match rest.array::<1>()? {
            [1] => json(rest.0),
            _ => return None,
        },
        Kind::Void => Datum::Null,
        Kind::List { item, .. } => list(item, &mut rest)?,
    })
}

/// What is still to be read.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (first, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*first)
    }

    fn slice(&mut self, length: usize) -> Option<&'a [u8]> {
        let (first, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(first)
    }

    fn int2(&mut self) -> Option<i16> {
        self.array().map(i16::from_be_bytes)
    }

    fn int4(&mut self) -> Option<i32> {
        self.array().map(i32::from_be_bytes)
    }

    fn int8(&mut self) -> Option<i64> {
        self.array().map(i64::from_be_bytes)
    }
}

/// A document; one that is nested too deeply to be read is left as text.
fn json(bytes: &[u8]) -> Datum {
    match serde_json::from_slice(bytes) {
        Ok(document) => Datum::Json(document),
        Err(_) => Datum::Text(String::from_utf8_lossy(bytes).into_owned()),
    }
}

/// Groups of four decimal digits, the first of them `weight` groups before the point.
fn numeric(bytes: &mut Bytes<'_>) -> Option<String> {
    let (count, weight) = (bytes.int2()?, bytes.int2()?);
    let sign = u16::from_be_bytes(bytes.array()?);
    let scale = usize::try_from(bytes.int2()?).ok()?;
    let sign = match sign {
        0x0000 => "",
        0x4000 => "-",
        0xc000 => return Some("NaN".into()),
        0xd000 => return Some("Infinity".into()),
        0xf000 => return Some("-Infinity".into()),
        _ => return None,
    };
    let groups = (0..count).map(|_| bytes.int2()).collect::<Option<Vec<_>>>()?;
    let group = |place: i32| {
        let index = usize::try_from(i32::from(weight) - place).ok()?;
        groups.get(index).copied()
    };
    let digits = |places: &mut dyn Iterator<Item = i32>| {
        places.map(|place| format!("{:04}", group(place).unwrap_or(0))).collect::<String>()
    };
    let whole = digits(&mut (0..=i32::from(weight.max(0))).rev());
    let whole = whole.trim_start_matches('0');
    let whole = if whole.is_empty() { "0" } else { whole };
    if scale == 0 {
        return Some(format!("{sign}{whole}"));
    }
    let last = -i32::try_from(scale.div_ceil(4)).ok()?;
    let fraction = digits(&mut (last..0).rev());
    Some(format!("{sign}{whole}.{}", fraction.get(..scale)?))
}

fn uuid(bytes: [u8; 16]) -> String {
    let digits = u128::from_be_bytes(bytes);
    let part = |shift: u32, digits_in_it: u32| (digits >> shift) & ((1 << (digits_in_it * 4)) - 1);
    format!("{:08x}-{:04x}-{:04x}-{:04x}-{:012x}", part(96, 8), part(80, 4), part(64, 4), part(48, 4), part(0, 12))
}

/// An address, with the length of its network where that is not the whole of it.
fn network(bytes: &mut Bytes<'_>) -> Option<String> {
    let [family, length, is_cidr, size] = bytes.array()?;
    let (address, whole): (IpAddr, u8) = match (family, size) {
        (2, 4) => (Ipv4Addr::from(bytes.array::<4>()?).into(), 32),
        (3, 16) => (Ipv6Addr::from(bytes.array::<16>()?).into(), 128),
        _ => return None,
    };
    Some(if is_cidr == 0 && length == whole { address.to_string() } else { format!("{address}/{length}") })
}

/// Dimensions, and the items in the order of the last one.
fn list(item: &Kind, bytes: &mut Bytes<'_>) -> Option<Datum> {
    let dimensions = bytes.int4()?;
    let _has_nulls_and_type = bytes.int8()?;
    let lengths = (0..dimensions)
        .map(|_| {
            let length = usize::try_from(bytes.int4()?).ok()?;
            bytes.int4().map(|_first_index| length)
        })
        .collect::<Option<Vec<_>>>()?;
    if lengths.is_empty() { Some(Datum::List(Vec::new())) } else { items(item, &lengths, bytes) }
}

fn items(item: &Kind, lengths: &[usize], bytes: &mut Bytes<'_>) -> Option<Datum> {
    let Some((length, inner)) = lengths.split_first() else {
        return match bytes.int4()? {
            -1 => Some(Datum::Null),
            length => datum(item, bytes.slice(usize::try_from(length).ok()?)?),
        };
    };
    (0..*length).map(|_| items(item, inner, bytes)).collect::<Option<Vec<_>>>().map(Datum::List)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn numeric_of(weight: i16, sign: u16, scale: i16, groups: &[i16]) -> String {
        let count = i16::try_from(groups.len()).unwrap();
        let head = [count.to_be_bytes(), weight.to_be_bytes(), sign.to_be_bytes(), scale.to_be_bytes()].concat();
        let bytes: Vec<u8> = head.into_iter().chain(groups.iter().flat_map(|group| group.to_be_bytes())).collect();
        numeric(&mut Bytes(&bytes)).unwrap()
    }

    #[test]
    fn decimals_keep_every_digit() {
        for (text, expected) in [
            (numeric_of(0, 0, 0, &[]), "0"),
            (numeric_of(0, 0, 2, &[]), "0.00"),
            (numeric_of(0, 0, 2, &[12, 5000]), "12.50"),
            (numeric_of(0, 0x4000, 1, &[1, 2000]), "-1.2"),
            (numeric_of(-1, 0, 4, &[1]), "0.0001"),
            (numeric_of(-2, 0, 8, &[1]), "0.00000001"),
            (numeric_of(-2, 0, 6, &[1200]), "0.000012"),
            (numeric_of(2, 0, 0, &[1]), "100000000"),
            (numeric_of(1, 0, 0, &[1234, 5]), "12340005"),
            (numeric_of(4, 0, 10, &[1, 2, 3, 4, 5, 6789, 123, 4500]), "10002000300040005.6789012345"),
            (numeric_of(0, 0xc000, 0, &[]), "NaN"),
            (numeric_of(0, 0xf000, 0, &[]), "-Infinity"),
        ] {
            assert_eq!(text, expected);
        }
    }

    #[test]
    fn lists_have_as_many_dimensions_as_they_say() {
        let list = Kind::List { item: Box::new(Kind::Int2), oid: 21 };
        let empty = [0_u8; 12];
        assert_eq!(datum(&list, &empty), Some(Datum::List(vec![])));
        let mut bytes = Vec::new();
        for number in [2_i32, 1, 21, 1, 1, 2, 1, 2] {
            bytes.extend(number.to_be_bytes());
        }
        bytes.extend([0, 7]);
        bytes.extend((-1_i32).to_be_bytes());
        let inner = Datum::List(vec![Datum::Integer(7), Datum::Null]);
        assert_eq!(datum(&list, &bytes), Some(Datum::List(vec![inner])));
    }

    #[test]
    fn addresses_are_written_as_people_do() {
        let read = |bytes: &[u8]| network(&mut Bytes(bytes)).unwrap();
        assert_eq!(read(&[2, 32, 0, 4, 10, 0, 0, 1]), "10.0.0.1");
        assert_eq!(read(&[2, 24, 0, 4, 10, 0, 0, 1]), "10.0.0.1/24");
        assert_eq!(read(&[2, 32, 1, 4, 10, 0, 0, 1]), "10.0.0.1/32");
    }

    fn any_kind() -> impl Strategy<Value = Kind> {
        let leaf = prop::sample::select(vec![
            Kind::Boolean,
            Kind::Int2,
            Kind::Int4,
            Kind::Int8,
            Kind::Oid,
            Kind::Float4,
            Kind::Float8,
            Kind::Numeric,
            Kind::Text,
            Kind::Uuid,
            Kind::Bytes,
            Kind::Date,
            Kind::Time,
            Kind::Timestamp,
            Kind::TimestampTz,
            Kind::Interval,
            Kind::Network,
            Kind::Json,
            Kind::Jsonb,
            Kind::Void,
        ]);
        (leaf, any::<bool>()).prop_map(|(kind, is_list)| match is_list {
            true => Kind::List { item: Box::new(kind), oid: 0 },
            false => kind,
        })
    }

    proptest! {
        /// A server that sends nonsense is an error; whatever is read fits the column's schema.
        #[test]
        fn no_bytes_make_it_panic(kind in any_kind(), bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            if let Some(datum) = datum(&kind, &bytes) {
                let shape = kind.shape();
                let value = shape.convert(datum.clone());
                prop_assert!(value.is_some(), "{:?} {:?}", kind, datum);
                let schema = bridgehead_core::schema::Schema::compile(&shape.schema()).unwrap();
                prop_assert!(schema.accepts(&value.unwrap_or_default()));
            }
        }
    }
}
