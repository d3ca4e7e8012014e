//! `#[tools]` on an `impl` block: the type becomes a `Toolbox` of its `#[tool]` methods.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Attribute, ImplItem, ImplItemFn, ItemImpl, Meta, spanned::Spanned};

use crate::{
    attribute::{ToolWords, ToolboxWords},
    builder::{Tool, krate},
    signature::{check_receiver, is_tool, parameters},
};

pub(crate) fn expand(attribute: TokenStream, item: TokenStream) -> syn::Result<TokenStream> {
    let words: ToolboxWords = syn::parse2(attribute)?;
    let mut block: ItemImpl = syn::parse2(item)?;
    if let Some((_, path, _)) = &block.trait_ {
        return Err(syn::Error::new_spanned(path, "#[tools] stands on an `impl` block of the type's own methods"));
    }
    let krate = krate(words.krate.as_ref());
    let mut tools = Vec::new();
    let mut errors: Option<syn::Error> = None;
    for item in &mut block.items {
        let ImplItem::Fn(method) = item else { continue };
        let Some(position) = method.attrs.iter().position(is_tool) else { continue };
        let attribute = method.attrs.remove(position);
        match read(&attribute, method) {
            Ok(tool) => {
                let cfg = method.attrs.iter().filter(|attribute| attribute.path().is_ident("cfg"));
                let ident = &method.sig.ident;
                let expression = tool.expression(
                    &krate,
                    &quote!(Self::#ident),
                    &quote!(let this = ::std::sync::Arc::clone(&this);),
                    Some(&quote!(&*this)),
                );
                tools.push(quote! {
                    #(#cfg)*
                    {
                        let this = ::std::sync::Arc::clone(&self);
                        tools.push(#expression);
                    }
                });
            }
            Err(error) => match &mut errors {
                Some(errors) => errors.combine(error),
                None => errors = Some(error),
            },
        }
    }
    if let Some(errors) = errors {
        return Err(errors);
    }
    if tools.is_empty() {
        return Err(syn::Error::new(
            block.self_ty.span(),
            "no method here carries #[tool(…)], so there is nothing to offer",
        ));
    }
    let (ty, (generics, _, conditions)) = (&block.self_ty, block.generics.split_for_impl());
    Ok(quote! {
        #block

        impl #generics #krate::native::Toolbox for #ty #conditions {
            fn tools(self: ::std::sync::Arc<Self>) -> ::std::vec::Vec<#krate::native::NativeTool> {
                let mut tools = ::std::vec::Vec::new();
                #(#tools)*
                tools
            }
        }
    })
}

fn read(attribute: &Attribute, method: &mut ImplItemFn) -> syn::Result<Tool> {
    let words = match &attribute.meta {
        Meta::Path(_) => ToolWords::default(),
        _ => attribute.parse_args::<ToolWords>()?,
    };
    if let Some(path) = &words.krate {
        return Err(syn::Error::new_spanned(path, "`crate` belongs into #[tools(…)] on the block"));
    }
    let parameters = parameters(&mut method.sig);
    check_receiver(&method.sig)?;
    Tool::new(words, attribute.path().span(), &method.attrs, &method.sig, parameters)
}
