//! Parameters of a request, read from decoded pairs. Unknown names are ignored, an empty value
//! counts as none, and a name that is read may stand once (RFC 6749 §3.1, §3.2).

/// What is wrong with the form of the parameters.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FormError {
    /// A parameter stands twice: which one counts would be a guess.
    #[error("the parameter `{0}` was sent more than once")]
    Repeated(&'static str),
    /// A parameter has to be there.
    #[error("the parameter `{0}` is missing")]
    Missing(&'static str),
    /// A parameter is longer than any good one.
    #[error("the parameter `{0}` is too long")]
    TooLong(&'static str),
}

/// The longest value that is read, in bytes: room for a signed assertion.
const LONGEST: usize = 8 * 1024;

/// Decoded pairs, repeated ones as well.
#[derive(Clone, Copy)]
pub(crate) struct Form<'f>(pub(crate) &'f [(String, String)]);

impl<'f> Form<'f> {
    /// The value of a parameter.
    pub(crate) fn get(self, name: &'static str) -> Result<Option<&'f str>, FormError> {
        let mut values = self.0.iter().filter(|(other, _)| other == name).map(|(_, value)| value.as_str());
        let value = values.next();
        if values.next().is_some() {
            return Err(FormError::Repeated(name));
        }
        match value {
            Some(value) if value.len() > LONGEST => Err(FormError::TooLong(name)),
            other => Ok(other.filter(|value| !value.is_empty())),
        }
    }

    /// The value of a parameter that has to be there.
    pub(crate) fn require(self, name: &'static str) -> Result<&'f str, FormError> {
        self.get(name)?.ok_or(FormError::Missing(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_may_stand_once() {
        let pairs: Vec<_> = [("a", "1"), ("b", ""), ("c", "1"), ("c", "1"), ("x", ""), ("x", "2")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into();
        let form = Form(&pairs);
        assert_eq!(form.get("a"), Ok(Some("1")));
        assert_eq!(form.get("b"), Ok(None), "an empty value counts as none");
        assert_eq!(form.require("b"), Err(FormError::Missing("b")));
        for name in ["c", "x"] {
            assert_eq!(form.get(name), Err(FormError::Repeated(name)), "also twice the same, also one empty");
        }
        let long = [("a".to_owned(), "x".repeat(LONGEST + 1))];
        assert_eq!(Form(&long).get("a"), Err(FormError::TooLong("a")));
    }
}
