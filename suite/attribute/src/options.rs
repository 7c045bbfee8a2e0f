//! What stands between the parentheses of `#[conformance(…)]`.

use syn::{
    Ident, LitStr, Path, Token,
    parse::{Parse, ParseStream},
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
    pub(crate) exclusive: bool,
    pub(crate) last: bool,
}

impl Parse for Options {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let (mut spec, mut level, mut severity) = (None, None, None);
        let (mut each, mut since, mut until, mut needs) = (None, None, None, None);
        let (mut exclusive, mut last) = (false, false);
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
            exclusive,
            last,
        })
    }
}

fn value<T: Parse>(input: ParseStream<'_>) -> syn::Result<T> {
    input.parse::<Token![=]>()?;
    input.parse()
}
