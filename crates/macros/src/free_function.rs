//! `#[tool]` on a free function: the function becomes a constructor of its tool.

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::{FnArg, Item, ItemFn, spanned::Spanned};

use crate::{
    attribute::ToolWords,
    builder::{Tool, krate},
    documentation::is_documentation,
    signature::parameters,
};

pub(crate) fn expand(attribute: TokenStream, item: TokenStream) -> syn::Result<TokenStream> {
    let words: ToolWords = syn::parse2(attribute)?;
    let mut function = function(item)?;
    let parameters = parameters(&mut function.sig);
    let tool = Tool::new(words, Span::call_site(), &function.attrs, &function.sig, parameters)?;
    let krate = krate(tool.krate());
    let ItemFn { attrs, vis, sig, block } = function;
    let (outer, inner): (Vec<_>, Vec<_>) = attrs.into_iter().partition(|attribute| {
        is_documentation(attribute) || attribute.path().is_ident("cfg") || attribute.path().is_ident("deprecated")
    });
    let ident = &sig.ident;
    let expression = tool.expression(&krate, &quote!(#ident), &TokenStream::new(), None);
    Ok(quote! {
        #(#outer)*
        #vis fn #ident() -> #krate::native::NativeTool {
            #(#inner)*
            #sig #block
            #expression
        }
    })
}

fn function(item: TokenStream) -> syn::Result<ItemFn> {
    let function = match syn::parse2::<Item>(item.clone()) {
        Ok(Item::Fn(function)) => function,
        Ok(other) => {
            return Err(syn::Error::new(
                other.span(),
                "#[tool] stands on a function, or on the methods of an `impl` block with #[tools]",
            ));
        }
        // A method is not an item.
        Err(error) => syn::parse2::<ItemFn>(item).map_err(|_| error)?,
    };
    if let Some(FnArg::Receiver(receiver)) = function.sig.inputs.first() {
        return Err(syn::Error::new_spanned(
            receiver,
            "#[tool] on a method takes effect through #[tools] on the `impl` block around it",
        ));
    }
    Ok(function)
}
