//! What stands between the parentheses of `#[conformance(…)]`.

use syn::{
    Ident, LitStr, Path, Token, bracketed,
    parse::{Parse, ParseStream},
    punctuated::Punctuated,
};

/// The parsed options; the required ones are present.
pub(crate) struct Options {
    pub(crate) spec: LitStr,
    pub(crate) level: Ident,
    pub(crate) severity: Ident,
    pub(crate) each: Option<Path>,
    pub(crate) since: Option<LitStr>,
    pub(crate) until: Option<LitStr>,
    pub(crate) needs: Option<LitStr>,
    pub(crate) proves: Vec<LitStr>,
    pub(crate) exclusive: bool,
    pub(crate) last: bool,
}

impl Parse for Options {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let (mut spec, mut level, mut severity) = (None, None, None);
        let (mut each, mut since, mut until, mut needs) = (None, None, None, None);
        let (mut exclusive, mut last) = (false, false);
        let mut proves = Vec::new();
        while !input.is_empty() {
            let key: Ident = input.parse()?;
            match key.to_string().as_str() {
                "exclusive" => exclusive = true,
                "last" => last = true,
                "spec" => spec = Some(value(input)?),
                "level" => level = Some(value(input)?),
                "severity" => severity = Some(value(input)?),
                "each" => each = Some(value(input)?),
                "since" => since = Some(value(input)?),
                "until" => until = Some(value(input)?),
                "needs" => needs = Some(value(input)?),
                "proves" => proves = list(input)?,
                other => return Err(syn::Error::new(key.span(), format!("unknown option `{other}`"))),
            }
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        let missing = |name: &str| syn::Error::new(input.span(), format!("`{name} = …` is required"));
        Ok(Options {
            spec: spec.ok_or_else(|| missing("spec"))?,
            level: level.ok_or_else(|| missing("level"))?,
            severity: severity.ok_or_else(|| missing("severity"))?,
            each,
            since,
            until,
            needs,
            proves,
            exclusive,
            last,
        })
    }
}

fn value<T: Parse>(input: ParseStream<'_>) -> syn::Result<T> {
    input.parse::<Token![=]>()?;
    input.parse()
}

/// `= ["…", "…"]`, with at least one.
fn list(input: ParseStream<'_>) -> syn::Result<Vec<LitStr>> {
    input.parse::<Token![=]>()?;
    let content;
    let bracket = bracketed!(content in input);
    let items = Punctuated::<LitStr, Token![,]>::parse_terminated_with(&content, <LitStr as Parse>::parse)?;
    if items.is_empty() {
        return Err(syn::Error::new(bracket.span.join(), "name what the test proves, or leave `proves` out"));
    }
    Ok(items.into_iter().collect())
}
