//! The builder expression that a described function expands to.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::{Attribute, Path, Signature, ext::IdentExt, parse_quote, spanned::Spanned};

use crate::{
    attribute::{Effect, ToolWords},
    documentation::text,
    signature::{Argument, Parameter},
};

/// A function or method, read and checked.
pub(crate) struct Tool {
    name: String,
    description: String,
    effect: Effect,
    words: ToolWords,
    parameters: Vec<Parameter>,
    asynchronous: bool,
}

impl Tool {
    /// Puts together what the attribute, the doc comment and the signature say. `at` is where the
    /// attribute stands.
    pub(crate) fn new(
        words: ToolWords,
        at: Span,
        attributes: &[Attribute],
        signature: &Signature,
        parameters: syn::Result<Vec<Parameter>>,
    ) -> syn::Result<Self> {
        let (parameters, effect, name, description) =
            all(parameters, words.effect(at), name(&words, &signature.ident), description(attributes, signature))?;
        Ok(Self { name, description, effect, words, parameters, asynchronous: signature.asyncness.is_some() })
    }

    /// What `crate = …` says.
    pub(crate) const fn krate(&self) -> Option<&Path> {
        self.words.krate.as_ref()
    }

    /// An expression of type `NativeTool`. `called` names the function; `before` stands inside of
    /// the handler, before each call, and `receiver` is its first argument.
    pub(crate) fn expression(
        &self,
        krate: &Path,
        called: &TokenStream,
        before: &TokenStream,
        receiver: Option<&TokenStream>,
    ) -> TokenStream {
        let Self { name, description, words, .. } = self;
        let effect = format_ident!("{}", self.effect.as_str());
        let title = words.title.iter();
        let scope = words.scope.iter();
        let idempotent = words.idempotent.then(|| quote!(.idempotent()));
        let open_world = words.open_world.then(|| quote!(.open_world()));
        // Who calls is in the context alone.
        let sees_caller = self.parameters.iter().any(|parameter| matches!(parameter, Parameter::Context { .. }));
        let is_same = words.same_for_all_callers || !sees_caller;
        let same_for_all_callers = is_same.then(|| quote!(.same_for_all_callers()));
        let arguments = self.arguments().map(|(_, argument)| declaration(argument));
        let context = local("context", None);
        let takes = self.arguments().map(|(index, argument)| take(index, argument, &context));
        let values = self.parameters.iter().enumerate().map(|(index, parameter)| match parameter {
            Parameter::Context { by_reference: true } => quote!(&#context),
            Parameter::Context { by_reference: false } => quote!(::core::clone::Clone::clone(&#context)),
            Parameter::Argument(_) => {
                let value = local("argument", Some(index));
                quote!(#value)
            }
        });
        let values = receiver.cloned().into_iter().chain(values);
        let wait = self.asynchronous.then(|| quote!(.await));
        quote! {
            #krate::native::NativeTool::builder(#name)
                .description(#description)
                #(.title(#title))*
                #(.scope(#scope))*
                .#effect()
                #idempotent
                #open_world
                #same_for_all_callers
                #(#arguments)*
                .context_handler(move |#context: #krate::native::Context| {
                    #before
                    async move {
                        #(#takes)*
                        let result = #called(#(#values),*)#wait;
                        ::core::result::Result::<_, #krate::native::ToolError>::Ok(result)
                    }
                })
        }
    }

    fn arguments(&self) -> impl Iterator<Item = (usize, &Argument)> {
        self.parameters.iter().enumerate().filter_map(|(index, parameter)| match parameter {
            Parameter::Argument(argument) => Some((index, &**argument)),
            Parameter::Context { .. } => None,
        })
    }
}

/// The crate that the expansion refers to.
pub(crate) fn krate(given: Option<&Path>) -> Path {
    given.cloned().unwrap_or_else(|| parse_quote!(::bridgehead))
}

fn declaration(argument: &Argument) -> TokenStream {
    let Argument { name, description, ty, .. } = argument;
    // The span makes a missing `JsonSchema` point at the argument's type.
    match (&argument.optional, &argument.default) {
        (Some(inner), _) => quote_spanned!(inner.span()=> .optional_argument::<#inner>(#name, #description)),
        (None, Some(value)) => quote_spanned!(ty.span()=> .argument_with_default::<#ty>(#name, #description, #value)),
        (None, None) => quote_spanned!(ty.span()=> .argument::<#ty>(#name, #description)),
    }
}

fn take(index: usize, argument: &Argument, context: &Ident) -> TokenStream {
    let Argument { name, ty, default, .. } = argument;
    let value = local("argument", Some(index));
    match default {
        Some(default) => {
            quote_spanned!(ty.span()=> let #value: #ty = #context.argument_or::<#ty>(#name, || #default)?;)
        }
        None => quote_spanned!(ty.span()=> let #value: #ty = #context.argument::<#ty>(#name)?;),
    }
}

/// A name that no name of the function can collide with.
fn local(name: &str, index: Option<usize>) -> Ident {
    let text = index.map_or_else(|| name.to_owned(), |index| format!("{name}_{index}"));
    Ident::new(&text, Span::mixed_site())
}

/// As the catalog checks wire names: `^[A-Za-z0-9_-]{1,64}$`.
fn name(words: &ToolWords, ident: &Ident) -> syn::Result<String> {
    let (name, span) = match &words.name {
        Some(name) => (name.value(), name.span()),
        None => (ident.unraw().to_string(), ident.span()),
    };
    let legal = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    if (1..=64).contains(&name.len()) && name.bytes().all(legal) {
        return Ok(name);
    }
    Err(syn::Error::new(span, "a tool's name has 1 to 64 of the characters A-Z a-z 0-9 _ -, which model APIs accept"))
}

fn description(attributes: &[Attribute], signature: &Signature) -> syn::Result<String> {
    text(attributes)?.ok_or_else(|| {
        syn::Error::new(
            signature.ident.span(),
            format!(
                "`{}` has no description, and a description is all that an agent sees. Put a doc comment before it: \
                 /// What it does, when to use it and what it returns.",
                signature.ident,
            ),
        )
    })
}

/// All four, or everything that is wrong with them at once.
fn all<A, B, C, D>(
    a: syn::Result<A>,
    b: syn::Result<B>,
    c: syn::Result<C>,
    d: syn::Result<D>,
) -> syn::Result<(A, B, C, D)> {
    let mut errors: Option<syn::Error> = None;
    let mut note = |error: syn::Error| match &mut errors {
        Some(errors) => errors.combine(error),
        None => errors = Some(error),
    };
    let a = a.map_err(&mut note).ok();
    let b = b.map_err(&mut note).ok();
    let c = c.map_err(&mut note).ok();
    let d = d.map_err(&mut note).ok();
    match (a, b, c, d) {
        (Some(a), Some(b), Some(c), Some(d)) => Ok((a, b, c, d)),
        _ => Err(errors.unwrap_or_else(|| syn::Error::new(Span::call_site(), "the tool could not be read"))),
    }
}
