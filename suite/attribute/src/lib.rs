//! `#[conformance]`: turns an async function into a registered conformance test.
//!
//! The function stays where it was written; beside it stands a `static` of the same name that describes it
//! (`suite::registry::Test`). The build script of the suite lists these statics by path, so a module that is not
//! declared does not build, and no linker trick is needed.

mod options;

use proc_macro::TokenStream;
use quote::quote;
use syn::{Attribute, Expr, FnArg, ItemFn, Lit, Meta, parse_macro_input, spanned::Spanned};

use options::Options;

/// Registers an async function as a conformance test.
///
/// ```ignore
/// /// A typing notice reaches the other members of the room, and nobody else.
/// #[conformance(spec = "client-server-api/#typing-notifications", level = Must, severity = Usability)]
/// async fn reaches_members_only(hs: &Homeserver) -> Verdict { … }
/// ```
///
/// * `spec` (required): document and anchor of the text that obliges the server.
/// * `level` (required): `Must`, `Should` or `May`, the specification's own word.
/// * `severity` (required): `Security`, `Interop`, `Usability` or `Cosmetic`; orders the report.
/// * `each = axis`: a function that returns the cases; the test takes the case as its second parameter.
/// * `since = "v1.16"`, `until = "v1.19"`: the releases that hold the requirement, both included.
/// * `needs = "feature"`: a feature that a target file may declare as missing.
/// * `proves = ["client-server-api/typing-notifications/1"]`: rows of the ledger that hold when the test passes.
/// * `exclusive`: nothing else runs at the same time.
/// * `last`: runs when all others have ended.
///
/// The doc comment is required: its first sentence states the requirement with the server as its subject.
#[proc_macro_attribute]
pub fn conformance(attribute: TokenStream, item: TokenStream) -> TokenStream {
    let options = parse_macro_input!(attribute as Options);
    let function = parse_macro_input!(item as ItemFn);
    expand(&options, &function).unwrap_or_else(|error| error.to_compile_error()).into()
}

fn expand(options: &Options, function: &ItemFn) -> syn::Result<proc_macro2::TokenStream> {
    let name = &function.sig.ident;
    // The list of tests reaches it from the root of the crate.
    let visibility: syn::Visibility = syn::parse_quote!(pub(crate));
    let documentation = documentation(&function.attrs).ok_or_else(|| {
        syn::Error::new(name.span(), "a test needs a doc comment: its first sentence states the requirement")
    })?;
    if function.sig.asyncness.is_none() {
        return Err(syn::Error::new(function.sig.fn_token.span(), "a test is an async function"));
    }
    let instances = instances(options, function)?;
    let Options { spec, level, severity, proves, .. } = options;
    let (since, until, needs) =
        (optional(&options.since), optional(&options.until), optional(&options.needs));
    let phase = match (options.exclusive, options.last) {
        (false, false) => quote!(Together),
        (true, false) => quote!(Alone),
        (false, true) => quote!(Last),
        (true, true) => {
            return Err(syn::Error::new(name.span(), "`exclusive` and `last` exclude each other"));
        }
    };
    let mut inner = function.clone();
    inner.vis = syn::Visibility::Inherited;
    inner.attrs.retain(|attribute| !attribute.path().is_ident("doc"));
    Ok(quote! {
        #[doc = #documentation]
        #[allow(non_upper_case_globals)]
        #visibility static #name: ::suite::registry::Test = {
            #inner
            fn instances() -> ::std::vec::Vec<::suite::registry::Instance> { #instances }
            ::suite::registry::Test {
                module: ::core::module_path!(),
                name: ::core::stringify!(#name),
                documentation: #documentation,
                file: ::core::file!(),
                line: ::core::line!(),
                spec: #spec,
                level: ::suite::registry::Level::#level,
                severity: ::suite::registry::Severity::#severity,
                since: #since,
                until: #until,
                needs: #needs,
                proves: &[#(#proves),*],
                phase: ::suite::registry::Phase::#phase,
                instances,
            }
        };
    })
}

/// The expression that lists the instances of a test: one, or one for each case of its axis.
fn instances(options: &Options, function: &ItemFn) -> syn::Result<proc_macro2::TokenStream> {
    let name = &function.sig.ident;
    let parameters: Vec<&FnArg> = function.sig.inputs.iter().collect();
    match (&options.each, parameters.len()) {
        (None, 1) => Ok(quote! {
            ::std::vec![::suite::registry::Instance::only(|hs| async move { #name(&hs).await })]
        }),
        (Some(axis), 2) => Ok(quote! {
            ::suite::registry::each(#axis(), |hs, case| async move { #name(&hs, case).await })
        }),
        (None, _) => {
            Err(syn::Error::new(name.span(), "a test takes `hs: &Homeserver`; with `each`, also the case"))
        }
        (Some(_), _) => {
            Err(syn::Error::new(name.span(), "a test with `each` takes `hs: &Homeserver` and the case"))
        }
    }
}

fn optional(value: &Option<syn::LitStr>) -> proc_macro2::TokenStream {
    match value {
        Some(value) => quote!(::core::option::Option::Some(#value)),
        None => quote!(::core::option::Option::None),
    }
}

/// The doc comment as one text, without the leading blank of each line.
fn documentation(attributes: &[Attribute]) -> Option<String> {
    let lines: Vec<String> = attributes.iter().filter_map(documentation_line).collect();
    let text = lines.join("\n").trim().to_owned();
    (!text.is_empty()).then_some(text)
}

fn documentation_line(attribute: &Attribute) -> Option<String> {
    let Meta::NameValue(pair) = &attribute.meta else { return None };
    if !pair.path.is_ident("doc") {
        return None;
    }
    let Expr::Lit(literal) = &pair.value else { return None };
    let Lit::Str(text) = &literal.lit else { return None };
    let text = text.value();
    Some(text.strip_prefix(' ').unwrap_or(&text).to_owned())
}
