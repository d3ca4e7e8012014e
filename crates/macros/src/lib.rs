//! Attributes that make tools of functions: [`macro@tool`] and [`macro@tools`]. What they expand
//! to is the builder of `bridgehead::native::NativeTool`, which can be written by hand as well.

mod attribute;
mod builder;
mod documentation;
mod free_function;
mod signature;
mod toolbox;

use proc_macro::TokenStream;

/// Makes a tool of a function.
///
/// ```ignore
/// /// Adds two numbers. Use it when exact arithmetic is needed.
/// #[tool(read)]
/// async fn add(
///     /// First summand.
///     left: i64,
///     /// Second summand; nothing is added without it.
///     right: Option<i64>,
/// ) -> Json<Sum> {
///     Json(Sum { sum: left + right.unwrap_or(0) })
/// }
/// ```
///
/// The function becomes a constructor of the same name and visibility without arguments: `add()`
/// returns a `NativeTool`. It may be `async` or not (then it must not block).
///
/// - The doc comment is the description, each argument's doc comment the argument's. Both are
///   required: they are all that an agent sees.
/// - Each argument is a property of the flat input schema. `Option<T>` need not be given;
///   `#[tool(default = 10)]` before an argument gives it a value when it is missing.
/// - A parameter of type `Context` or `&Context` receives the context of the call.
/// - The result is anything that is `IntoOutcome`; `Json<T>` gives the tool an output schema.
///
/// Words in the attribute: exactly one of `read`, `write` (adds, and leaves what was there) and
/// `destructive` (changes or removes what was there); `idempotent` (a repeat with the same
/// arguments changes nothing more); `open_world` (reaches beyond one known system);
/// `same_for_all_callers` (it has the context, and its answers do not depend on who calls);
/// `name = "…"`; `title = "…"`; `scope = "…"` (instead of `tools:read` or `tools:write`);
/// `crate = path` (where `native` is found; default `::bridgehead`).
#[proc_macro_attribute]
pub fn tool(attribute: TokenStream, item: TokenStream) -> TokenStream {
    free_function::expand(attribute.into(), item.into()).unwrap_or_else(syn::Error::into_compile_error).into()
}

/// Makes tools of the methods of an `impl` block that carry `#[tool(…)]`.
///
/// ```ignore
/// #[tools]
/// impl Warehouse {
///     /// Units of one article on hand.
///     #[tool(read)]
///     async fn find_stock(
///         &self,
///         /// Stock keeping unit, for example A-1001.
///         sku: String,
///     ) -> Result<Json<Stock>, ToolError> {
///         // …
///     }
/// }
/// ```
///
/// The methods stay as they are and take `&self`; the type becomes a `Toolbox`, so that one value
/// of it can be given to the server. What [`macro@tool`] says of words, arguments and results
/// holds for each method. `#[tools(crate = path)]` says where `native` is found.
#[proc_macro_attribute]
pub fn tools(attribute: TokenStream, item: TokenStream) -> TokenStream {
    toolbox::expand(attribute.into(), item.into()).unwrap_or_else(syn::Error::into_compile_error).into()
}

#[cfg(test)]
mod tests;
