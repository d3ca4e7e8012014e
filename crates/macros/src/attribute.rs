//! The words in `#[tool(…)]` and `#[tools(…)]`.

use proc_macro2::Span;
use syn::{
    Expr, Ident, LitStr, Path, Token,
    ext::IdentExt,
    parse::{Parse, ParseStream},
};

/// What a tool does to the world; the word is also the builder's method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    Read,
    Write,
    Destructive,
}

impl Effect {
    fn parse(word: &str) -> Option<Self> {
        match word {
            "read" => Some(Self::Read),
            "write" => Some(Self::Write),
            "destructive" => Some(Self::Destructive),
            _ => None,
        }
    }

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Destructive => "destructive",
        }
    }
}

/// `#[tool(…)]` on a function or method.
#[derive(Debug, Default)]
pub(crate) struct ToolWords {
    pub(crate) effect: Option<Effect>,
    pub(crate) idempotent: bool,
    pub(crate) open_world: bool,
    pub(crate) same_for_all_callers: bool,
    pub(crate) name: Option<LitStr>,
    pub(crate) title: Option<LitStr>,
    pub(crate) scope: Option<LitStr>,
    pub(crate) krate: Option<Path>,
}

impl ToolWords {
    /// The effect, which has no default.
    pub(crate) fn effect(&self, at: Span) -> syn::Result<Effect> {
        self.effect.ok_or_else(|| {
            syn::Error::new(
                at,
                "say what the tool does to the world: #[tool(read)], #[tool(write)] (adds, and leaves what was there) \
                 or #[tool(destructive)] (changes or removes what was there). The scope a caller needs, the hints an \
                 agent sees and what happens when a caller goes away depend on it, so there is no default",
            )
        })
    }

    fn word(&mut self, word: &Ident, input: ParseStream) -> syn::Result<()> {
        let text = word.to_string();
        if let Some(effect) = Effect::parse(&text) {
            if let Some(first) = self.effect {
                return Err(syn::Error::new(word.span(), format!("the effect is already `{}`", first.as_str())));
            }
            self.effect = Some(effect);
            return Ok(());
        }
        match text.as_str() {
            "idempotent" => flag(&mut self.idempotent, word),
            "open_world" => flag(&mut self.open_world, word),
            "same_for_all_callers" => flag(&mut self.same_for_all_callers, word),
            "name" => value(&mut self.name, word, input),
            "title" => value(&mut self.title, word, input),
            "scope" => value(&mut self.scope, word, input),
            "crate" => value(&mut self.krate, word, input),
            "effect" => {
                Err(syn::Error::new(word.span(), "write the effect as a bare word: read, write or destructive"))
            }
            _ => Err(syn::Error::new(
                word.span(),
                format!(
                    "`{text}` is not known here; known are read, write, destructive, idempotent, open_world, \
                     same_for_all_callers, name = \"…\", title = \"…\", scope = \"…\" and crate = path"
                ),
            )),
        }
    }
}

impl Parse for ToolWords {
    fn parse(input: ParseStream) -> syn::Result<Self> {
        let mut words = Self::default();
        each_word(input, |word, input| words.word(word, input))?;
        Ok(words)
    }
}

/// `#[tools(…)]` on an `impl` block.
#[derive(Debug, Default)]
pub(crate) struct ToolboxWords {
    pub(crate) krate: Option<Path>,
}

impl Parse for ToolboxWords {
    fn parse(input: ParseStream) -> syn::Result<Self> {
        let mut words = Self::default();
        each_word(input, |word, input| match word.to_string().as_str() {
            "crate" => value(&mut words.krate, word, input),
            other => Err(syn::Error::new(
                word.span(),
                format!(
                    "`{other}` is not known here; known is crate = path. All else stands in #[tool(…)] on a method"
                ),
            )),
        })?;
        Ok(words)
    }
}

/// `#[tool(…)]` on a parameter.
#[derive(Debug, Default)]
pub(crate) struct ParameterWords {
    pub(crate) default: Option<Expr>,
}

impl Parse for ParameterWords {
    fn parse(input: ParseStream) -> syn::Result<Self> {
        let mut words = Self::default();
        each_word(input, |word, input| match word.to_string().as_str() {
            "default" => value(&mut words.default, word, input),
            other => {
                Err(syn::Error::new(word.span(), format!("`{other}` is not known here; known is default = expression")))
            }
        })?;
        Ok(words)
    }
}

fn each_word(input: ParseStream, mut take: impl FnMut(&Ident, ParseStream) -> syn::Result<()>) -> syn::Result<()> {
    while !input.is_empty() {
        // `crate` is a keyword, so any identifier is taken.
        let word = Ident::parse_any(input)?;
        take(&word, input)?;
        if !input.is_empty() {
            input.parse::<Token![,]>()?;
        }
    }
    Ok(())
}

fn flag(slot: &mut bool, word: &Ident) -> syn::Result<()> {
    if std::mem::replace(slot, true) {
        return Err(syn::Error::new(word.span(), format!("`{word}` stands here twice")));
    }
    Ok(())
}

fn value<T: Parse>(slot: &mut Option<T>, word: &Ident, input: ParseStream) -> syn::Result<()> {
    if slot.is_some() {
        return Err(syn::Error::new(word.span(), format!("`{word}` stands here twice")));
    }
    input.parse::<Token![=]>()?;
    *slot = Some(input.parse()?);
    Ok(())
}
