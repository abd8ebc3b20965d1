//! Reads the query of a request. An error names the parameter and the values that it accepts.

use serde::{
    Deserializer,
    de::{self, DeserializeOwned, IntoDeserializer, Visitor, value::MapDeserializer},
    forward_to_deserialize_any,
};
use std::{borrow::Cow, fmt};

/// Maximum number of characters that an error quotes from the name of an unknown parameter.
const QUOTED_MAX: usize = 40;

/// Reads the parameters of a query, such as `limit=10&order=desc`. Each parameter may occur once.
///
/// ```
/// # #[derive(Debug, serde::Deserialize)]
/// struct Page {
///     limit: Option<u16>,
/// }
///
/// let error = shared_proto::http::read_query::<Page>("limit=many").expect_err("not a number");
/// assert_eq!(error.to_string(), "`limit` must be a whole number from 0 to 65535");
/// ```
pub fn read_query<T: DeserializeOwned>(query: &str) -> Result<T, QueryError> {
    let pairs = form_urlencoded::parse(query.as_bytes()).map(|(name, text)| (name.clone(), Value { name, text }));
    T::deserialize(MapDeserializer::new(pairs))
}

/// The names and values of a query, decoded.
pub fn query_pairs(query: &str) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
    form_urlencoded::parse(query.as_bytes())
}

/// A query was refused. The text names the parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueryError(String);

impl fmt::Display for QueryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for QueryError {}

impl de::Error for QueryError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self(message.to_string())
    }

    fn unknown_variant(_: &str, expected: &'static [&'static str]) -> Self {
        Self(format!("must be {}", list(expected, "or")))
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        let quoted: String = field.chars().take(QUOTED_MAX).collect();
        Self(format!("`{quoted}` is not a parameter of this request; its parameters are {}", list(expected, "and")))
    }

    fn missing_field(field: &'static str) -> Self {
        Self(format!("`{field}` is missing"))
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self(format!("`{field}` occurs more than once"))
    }
}

/// Names in backticks, such as "`a`, `b` and `c`".
fn list(names: &[&str], conjunction: &str) -> String {
    let quoted: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    match &quoted[..] {
        [] => String::new(),
        [only] => only.clone(),
        [first @ .., last] => format!("{} {conjunction} {last}", first.join(", ")),
    }
}

/// The value of a parameter. It is text until the type is known.
struct Value<'a> {
    name: Cow<'a, str>,
    text: Cow<'a, str>,
}

impl Value<'_> {
    fn must_be(&self, allowed: impl fmt::Display) -> QueryError {
        QueryError(format!("`{}` must be {allowed}", self.name))
    }
}

impl<'de> IntoDeserializer<'de, QueryError> for Value<'de> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

macro_rules! numbers {
    ($($method:ident $visit:ident $number:ty, $allowed:literal;)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, QueryError> {
            match self.text.parse::<$number>() {
                Ok(number) => visitor.$visit(number),
                Err(_) => Err(self.must_be($allowed)),
            }
        }
    )*};
}

impl<'de> Deserializer<'de> for Value<'de> {
    type Error = QueryError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, QueryError> {
        self.text.into_deserializer().deserialize_any(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, QueryError> {
        visitor.visit_some(self)
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, QueryError> {
        match &*self.text {
            "true" => visitor.visit_bool(true),
            "false" => visitor.visit_bool(false),
            _ => Err(self.must_be("`true` or `false`")),
        }
    }

    numbers! {
        deserialize_u16 visit_u16 u16, "a whole number from 0 to 65535";
        deserialize_u32 visit_u32 u32, "a whole number from 0 to 4294967295";
        deserialize_u64 visit_u64 u64, "a whole number, 0 or more";
        deserialize_i64 visit_i64 i64, "a whole number";
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, QueryError> {
        let Self { name: parameter, text } = self;
        text.into_deserializer()
            .deserialize_enum(name, variants, visitor)
            .map_err(|QueryError(error)| QueryError(format!("`{parameter}` {error}")))
    }

    forward_to_deserialize_any! {
        i8 i16 i32 i128 u8 u128 f32 f64 char str string bytes byte_buf unit unit_struct newtype_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Query {
        name: Option<String>,
        limit: Option<usize>,
        after: Option<i64>,
        code: Option<u16>,
        #[serde(default)]
        stats: bool,
        order: Option<Order>,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Order {
        Asc,
        Desc,
        Any,
    }

    #[test]
    fn parameters_are_decoded() {
        let expected =
            Query { name: Some("a b/ü".into()), limit: Some(7), after: Some(-1), code: Some(1), stats: true, order: Some(Order::Desc) };
        assert_eq!(read_query("name=a+b%2F%C3%BC&limit=7&after=-1&code=1&stats=true&order=desc"), Ok(expected));
        assert_eq!(read_query(""), Ok(Query::default()));
        assert_eq!(read_query("name="), Ok(Query { name: Some(String::new()), ..Query::default() }));
    }

    #[test]
    fn an_error_names_the_parameter_and_its_values() {
        let unknown = "is not a parameter of this request; its parameters are `name`, `limit`, `after`, `code`, `stats` and `order`";
        for (query, error) in [
            ("limit=abc", "`limit` must be a whole number, 0 or more".to_owned()),
            ("name=a&limit=-1", "`limit` must be a whole number, 0 or more".to_owned()),
            ("limit=", "`limit` must be a whole number, 0 or more".to_owned()),
            ("after=1.5", "`after` must be a whole number".to_owned()),
            ("code=65536", "`code` must be a whole number from 0 to 65535".to_owned()),
            ("stats=maybe", "`stats` must be `true` or `false`".to_owned()),
            ("order=up", "`order` must be `asc`, `desc` or `any`".to_owned()),
            ("limit=1&limit=2", "`limit` occurs more than once".to_owned()),
            ("page=2", format!("`page` {unknown}")),
            (&"x".repeat(1000), format!("`{}` {unknown}", "x".repeat(QUOTED_MAX))),
        ] {
            assert_eq!(read_query::<Query>(query), Err(QueryError(error)), "{query}");
        }
    }
}
