//! What the parameters of a function say about a tool's arguments.

use proc_macro2::Span;
use syn::{
    Attribute, Expr, FnArg, GenericArgument, Ident, Pat, PatType, PathArguments, Receiver, Signature, Type,
    ext::IdentExt, spanned::Spanned,
};

use crate::{
    attribute::ParameterWords,
    documentation::{is_documentation, text},
};

/// One parameter, in the order of the signature.
pub(crate) enum Parameter {
    /// The context of the call; `by_reference` for `&Context`.
    Context { by_reference: bool },
    /// An argument of the tool.
    Argument(Box<Argument>),
}

/// One argument of the tool.
pub(crate) struct Argument {
    pub(crate) name: String,
    pub(crate) description: String,
    /// As in the signature.
    pub(crate) ty: Type,
    /// `T` where the type is `Option<T>`.
    pub(crate) optional: Option<Type>,
    pub(crate) default: Option<Expr>,
}

/// Reads the parameters and takes doc comments and `#[tool(…)]` off them, which Rust would not
/// accept there. A receiver is left out.
pub(crate) fn parameters(signature: &mut Signature) -> syn::Result<Vec<Parameter>> {
    refuse_what_no_tool_can_be(signature)?;
    let mut found = Vec::new();
    let mut errors: Option<syn::Error> = None;
    for input in &mut signature.inputs {
        let FnArg::Typed(parameter) = input else { continue };
        let read = read(parameter);
        parameter.attrs.retain(|attribute| !is_documentation(attribute) && !is_tool(attribute));
        match read {
            Ok(parameter) => found.push(parameter),
            Err(error) => match &mut errors {
                Some(errors) => errors.combine(error),
                None => errors = Some(error),
            },
        }
    }
    errors.map_or(Ok(found), Err)
}

/// Whether the attribute is `#[tool]`, however it is imported.
pub(crate) fn is_tool(attribute: &Attribute) -> bool {
    attribute.path().segments.last().is_some_and(|segment| segment.ident == "tool")
}

/// A method that can be a tool takes `&self`: many calls run at once.
pub(crate) fn check_receiver(signature: &Signature) -> syn::Result<()> {
    match signature.inputs.first() {
        Some(FnArg::Receiver(Receiver { reference: Some(_), mutability: None, colon_token: None, .. })) => Ok(()),
        Some(FnArg::Receiver(receiver)) => Err(syn::Error::new_spanned(
            receiver,
            "a tool takes &self: many calls run at once. What they change belongs behind a lock or a channel",
        )),
        _ => Err(syn::Error::new(
            signature.ident.span(),
            "a tool in a #[tools] block takes &self. Without it, make it a free function with #[tool(…)]",
        )),
    }
}

fn refuse_what_no_tool_can_be(signature: &Signature) -> syn::Result<()> {
    let refuse = |span: Span, message: &str| Err(syn::Error::new(span, message));
    if !signature.generics.params.is_empty() {
        return refuse(signature.generics.span(), "a tool cannot be generic: its schema is made once, of its types");
    }
    if let Some(token) = &signature.unsafety {
        return refuse(token.span(), "a tool cannot be unsafe: nobody could keep its contract");
    }
    if let Some(token) = &signature.variadic {
        return refuse(token.span(), "a tool cannot be variadic: each argument needs a name");
    }
    Ok(())
}

fn read(parameter: &PatType) -> syn::Result<Parameter> {
    if let Some(by_reference) = as_context(&parameter.ty)? {
        return Ok(Parameter::Context { by_reference });
    }
    let ident = argument_name(&parameter.pat)?;
    match &*parameter.ty {
        Type::Reference(reference) => {
            return Err(syn::Error::new_spanned(
                reference,
                "an argument is owned, since it is made from JSON: String instead of &str, Vec<T> instead of &[T]",
            ));
        }
        Type::ImplTrait(ty) => {
            return Err(syn::Error::new_spanned(ty, "an argument needs a concrete type, of which its schema is made"));
        }
        _ => {}
    }
    let name = ident.unraw().to_string();
    let Some(description) = text(&parameter.attrs)? else {
        return Err(syn::Error::new_spanned(
            &parameter.pat,
            format!(
                "`{name}` has no description, and a description is all that an agent sees of an argument. Put a doc \
                 comment before it: /// What it is, its unit or format, an example."
            ),
        ));
    };
    let mut default = None;
    for attribute in parameter.attrs.iter().filter(|attribute| is_tool(attribute)) {
        default = attribute.parse_args::<ParameterWords>()?.default;
    }
    let optional = inside_option(&parameter.ty);
    if let (Some(_), Some(default)) = (&optional, &default) {
        return Err(syn::Error::new_spanned(default, "an Option<T> has the default None; for another one, take T"));
    }
    Ok(Parameter::Argument(Box::new(Argument { name, description, ty: (*parameter.ty).clone(), optional, default })))
}

fn argument_name(pattern: &Pat) -> syn::Result<&Ident> {
    match pattern {
        Pat::Ident(pattern) if pattern.subpat.is_none() && pattern.by_ref.is_none() => {
            check_property_name(&pattern.ident)?;
            Ok(&pattern.ident)
        }
        _ => Err(syn::Error::new_spanned(pattern, "an argument needs a plain name, under which agents give it")),
    }
}

/// Model APIs accept property names of `^[A-Za-z0-9_.-]{1,64}$`.
fn check_property_name(ident: &Ident) -> syn::Result<()> {
    let name = ident.unraw().to_string();
    if name.is_ascii() && name.len() <= 64 {
        return Ok(());
    }
    Err(syn::Error::new(ident.span(), "model APIs accept argument names of 1 to 64 of the characters A-Z a-z 0-9 _"))
}

/// Whether the type is `Context` or `&Context`, and which of the two.
fn as_context(ty: &Type) -> syn::Result<Option<bool>> {
    let (ty, reference) = match ty {
        Type::Reference(reference) => (&*reference.elem, Some(reference)),
        other => (other, None),
    };
    let Type::Path(path) = ty else { return Ok(None) };
    if path.path.segments.last().is_none_or(|segment| segment.ident != "Context") {
        return Ok(None);
    }
    if let Some(token) = reference.and_then(|reference| reference.mutability) {
        return Err(syn::Error::new(token.span(), "the context is shared: take &Context or Context"));
    }
    Ok(Some(reference.is_some()))
}

fn inside_option(ty: &Type) -> Option<Type> {
    let Type::Path(path) = ty else { return None };
    let last = path.path.segments.last().filter(|segment| segment.ident == "Option")?;
    let PathArguments::AngleBracketed(arguments) = &last.arguments else { return None };
    match arguments.args.first() {
        Some(GenericArgument::Type(inner)) => Some(inner.clone()),
        _ => None,
    }
}
