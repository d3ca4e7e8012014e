//! What the attributes refuse, and in which words; what they accept is tested where it runs, in
//! `bridgehead-sources`.

use proc_macro2::TokenStream;
use quote::quote;

use crate::{free_function, toolbox};

fn refused_tool(attribute: TokenStream, item: TokenStream) -> Vec<String> {
    messages(free_function::expand(attribute, item))
}

fn refused_tools(item: TokenStream) -> Vec<String> {
    messages(toolbox::expand(TokenStream::new(), item))
}

fn messages(result: syn::Result<TokenStream>) -> Vec<String> {
    result.unwrap_err().into_iter().map(|error| error.to_string()).collect()
}

/// D1: nothing without a description, and all that is missing at once.
#[test]
fn a_missing_description_and_a_missing_effect_are_refused_together() {
    let errors = refused_tool(
        quote!(),
        quote!(
            async fn add(left: i64, right: i64) -> String {
                String::new()
            }
        ),
    );
    assert_eq!(errors.len(), 4, "{errors:?}");
    assert!(errors.iter().any(|e| e.contains("`left` has no description")), "{errors:?}");
    assert!(errors.iter().any(|e| e.contains("`right` has no description")), "{errors:?}");
    assert!(errors.iter().any(|e| e.contains("#[tool(read)]") && e.contains("there is no default")), "{errors:?}");
    assert!(
        errors.iter().any(|e| e.contains("`add` has no description") && e.contains("all that an agent sees")),
        "{errors:?}"
    );
}

#[test]
fn an_empty_doc_comment_is_no_description() {
    let errors = refused_tool(
        quote!(read),
        quote!(
            #[doc = "  "]
            fn ping() {}
        ),
    );
    assert!(errors[0].contains("no description"), "{errors:?}");
}

#[test]
fn words_that_are_not_known_or_contradict_are_refused() {
    for (attribute, part) in [
        (quote!(effect = "write"), "bare word"),
        (quote!(read, write), "already `read`"),
        (quote!(reed), "known are read"),
        (quote!(write, idempotent, idempotent), "twice"),
        (quote!(read, name = "a", name = "b"), "twice"),
        (quote!(read, name = "has space"), "A-Z a-z 0-9 _ -"),
    ] {
        let errors = refused_tool(
            attribute,
            quote!(
                #[doc = " Pings."]
                fn ping() {}
            ),
        );
        assert!(errors.iter().any(|e| e.contains(part)), "{part}: {errors:?}");
    }
}

#[test]
fn parameters_that_cannot_be_arguments_are_refused() {
    for (parameters, part) in [
        (quote!(#[doc = "x"] sku: &str), "String instead of &str"),
        (quote!(#[doc = "x"] sku: impl Into<String>), "concrete type"),
        (quote!(#[doc = "x"] (a, b): (i64, i64)), "plain name"),
        (quote!(context: &mut Context), "&Context or Context"),
        (quote!(#[doc = "x"] #[tool(default = 1)] n: Option<i64>), "default None"),
        (quote!(#[doc = "x"] #[tool(defualt = 1)] n: i64), "known is default"),
        (quote!(#[doc = "x"] größe: i64), "argument names"),
    ] {
        let errors = refused_tool(quote!(read), quote!(#[doc = " Pings."] fn ping(#parameters) {}));
        assert!(errors.iter().any(|e| e.contains(part)), "{part}: {errors:?}");
    }
}

#[test]
fn functions_that_cannot_be_tools_are_refused() {
    for (item, part) in [
        (
            quote!(
                #[doc = "x"]
                fn ping<T>() {}
            ),
            "cannot be generic",
        ),
        (
            quote!(
                #[doc = "x"]
                unsafe fn ping() {}
            ),
            "cannot be unsafe",
        ),
        (
            quote!(
                #[doc = "x"]
                fn ping(&self) {}
            ),
            "#[tools]",
        ),
        (
            quote!(
                struct Ping;
            ),
            "stands on a function",
        ),
    ] {
        let errors = refused_tool(quote!(read), item);
        assert!(errors.iter().any(|e| e.contains(part)), "{part}: {errors:?}");
    }
}

#[test]
fn a_block_without_tools_or_with_other_receivers_is_refused() {
    for (item, part) in [
        (quote!(impl Stock { fn other(&self) {} }), "no method here"),
        (quote!(impl Tools for Stock { #[tool(read)] fn find(&self) {} }), "own methods"),
        (quote!(impl Stock { #[doc = "x"] #[tool(read)] fn find(&mut self) {} }), "takes &self"),
        (quote!(impl Stock { #[doc = "x"] #[tool(read)] fn find() {} }), "free function"),
        (quote!(impl Stock { #[doc = "x"] #[tool] fn find(&self) {} }), "what the tool does"),
        (quote!(impl Stock { #[doc = "x"] #[tool(read, crate = a)] fn find(&self) {} }), "on the block"),
    ] {
        let errors = refused_tools(item);
        assert!(errors.iter().any(|e| e.contains(part)), "{part}: {errors:?}");
    }
}

/// The errors of all methods are reported at once.
#[test]
fn errors_of_several_methods_are_reported_together() {
    let errors =
        refused_tools(quote!(impl Stock { #[tool(read)] fn find(&self) {} #[doc = "x"] #[tool()] fn count(&self) {} }));
    assert_eq!(errors.len(), 2, "{errors:?}");
}
