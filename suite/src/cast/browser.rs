//! A browser in which somebody fills in the forms that come, as far as people have to who log in on pages of a server.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use html5gum::{DefaultEmitter, HtmlString, Spanned, Token, Tokenizer};
use http::Method;
use url::{Origin, Url};

use super::{Answer, Homeserver, User};
use crate::verdict::Stop;

/// More pages than anybody has to go through who logs in and allows something.
const MOST_PAGES: usize = 8;

/// A browser with the cookies of one journey.
#[derive(Debug)]
pub struct Browser {
    hs: Homeserver,
    cookies: Mutex<BTreeMap<String, String>>,
}

/// Where a journey has ended.
#[derive(Debug)]
pub enum Arrival {
    /// The server has sent the browser to another place, with this answer.
    Elsewhere(Url, Answer),
    /// On a page of the server that asks for nothing more.
    Page(Answer),
}

impl Homeserver {
    /// A browser that has no cookies yet.
    pub fn browser(&self) -> Browser {
        Browser { hs: self.clone(), cookies: Mutex::default() }
    }
}

impl Browser {
    /// Opens a URL of the server, and goes on until no form is left or the browser is sent elsewhere. In every form, the
    /// user's name and password are filled in, then what `known` has for a field of that name, and the first button is
    /// pressed, as the key Enter does.
    pub async fn goes_on(&self, url: &str, user: &User, known: &[(&str, &str)]) -> Result<Arrival, Stop> {
        let mut here = Url::parse(url).map_err(|error| Stop::unmet("a URL", format!("{url}: {error}")))?;
        let home = here.origin();
        let mut next = (Method::GET, None);
        for _ in 0..MOST_PAGES {
            let (method, body) = std::mem::replace(&mut next, (Method::GET, None));
            let answer = self.visit(method, &here, body).await?;
            if answer.status().is_redirection() {
                let there = here.join(answer.header("location").unwrap_or_default());
                here = there
                    .map_err(|_| Stop::unmet_by(answer.exchange(), "a Location", "none that is a URL"))?;
                if !is_at(&home, &here) {
                    return Ok(Arrival::Elsewhere(here, answer));
                }
                continue;
            }
            let Some(form) = Form::first_of(answer.body()).filter(|_| answer.status().is_success()) else {
                return Ok(Arrival::Page(answer));
            };
            let filled = form.filled(user, known);
            here = here.join(&form.action).unwrap_or(here);
            if form.by_post {
                next = (Method::POST, Some(filled));
            } else {
                here.set_query(Some(&filled));
            }
        }
        Err(Stop::unmet("the end of the forms", format!("another one after {MOST_PAGES} pages, at {here}")))
    }

    async fn visit(&self, method: Method, url: &Url, form: Option<String>) -> Result<Answer, Stop> {
        let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
        let mut call = self.hs.request(method, format!("{}{query}", url.path()));
        let cookies: Vec<String> = self.jar().iter().map(|(name, value)| format!("{name}={value}")).collect();
        if !cookies.is_empty() {
            call = call.header("cookie", &cookies.join("; "));
        }
        if let Some(form) = form {
            call = call.header("content-type", "application/x-www-form-urlencoded").bytes(form);
        }
        let answer = call.answer().await?;
        for cookie in answer.exchange().response.headers.get_all("set-cookie") {
            let pair = cookie.to_str().unwrap_or_default().split(';').next().unwrap_or_default();
            if let Some((name, value)) = pair.split_once('=') {
                self.jar().insert(name.trim().to_owned(), value.to_owned());
            }
        }
        Ok(answer)
    }

    fn jar(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, String>> {
        self.cookies.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Arrival {
    /// The place that the browser was sent to.
    pub fn must_be_elsewhere(self) -> Result<(Url, Answer), Stop> {
        match self {
            Arrival::Elsewhere(url, answer) => Ok((url, answer)),
            Arrival::Page(page) => {
                let got = page.exchange().response.in_short();
                Err(Stop::unmet_by(page.exchange(), "the way back to the client", got))
            }
        }
    }

    /// The page on which it stays.
    pub fn must_be_a_page(self) -> Result<Answer, Stop> {
        match self {
            Arrival::Page(page) => Ok(page),
            Arrival::Elsewhere(url, answer) => {
                Err(Stop::unmet_by(answer.exchange(), "a page of the server", format!("the way to {url}")))
            }
        }
    }
}

fn is_at(home: &Origin, url: &Url) -> bool {
    url.origin() == *home
}

/// What a form asks for, and what it carries.
#[derive(Debug, Default)]
struct Form {
    action: String,
    by_post: bool,
    fields: Vec<Field>,
    button: Option<(String, String)>,
}

#[derive(Debug)]
struct Field {
    name: String,
    kind: String,
    value: String,
    completes: String,
}

impl Form {
    /// The first form of a page.
    fn first_of(page: &[u8]) -> Option<Self> {
        let text = String::from_utf8_lossy(page);
        let mut emitter = DefaultEmitter::default();
        // What stands in scripts and style sheets is no markup.
        emitter.naively_switch_states(true);
        let mut form: Option<Form> = None;
        for Ok(token) in Tokenizer::new_with_emitter(text.as_ref(), emitter) {
            match (&mut form, token) {
                (None, Token::StartTag(tag)) if tag.name.as_slice() == b"form" => {
                    let says = |name: &str| attribute(&tag.attributes, name);
                    let by_post = says("method").unwrap_or_default().eq_ignore_ascii_case("post");
                    let action = says("action").unwrap_or_default();
                    form = Some(Form { action, by_post, ..Form::default() });
                }
                (Some(form), Token::StartTag(tag)) => {
                    form.take(&tag.name, |name| attribute(&tag.attributes, name));
                }
                (Some(_), Token::EndTag(tag)) if tag.name.as_slice() == b"form" => break,
                _ => {}
            }
        }
        form
    }

    fn take(&mut self, tag: &[u8], says: impl Fn(&str) -> Option<String>) {
        let (name, value) = (says("name").unwrap_or_default(), says("value").unwrap_or_default());
        let kind = says("type").unwrap_or_default().to_ascii_lowercase();
        let presses = match tag {
            b"button" => matches!(kind.as_str(), "" | "submit"),
            b"input" => kind == "submit",
            _ => return,
        };
        if presses {
            self.button.get_or_insert((name, value));
        } else if tag == b"input" && !name.is_empty() {
            let completes = says("autocomplete").unwrap_or_default();
            self.fields.push(Field { name, kind, value, completes });
        }
    }

    /// The fields as they are sent.
    fn filled(&self, user: &User, known: &[(&str, &str)]) -> String {
        let mut sent = url::form_urlencoded::Serializer::new(String::new());
        for field in &self.fields {
            let told = known.iter().find(|(name, _)| *name == field.name).map(|(_, value)| *value);
            let value = match field.kind.as_str() {
                "password" => user.password(),
                "hidden" => &field.value,
                "checkbox" | "radio" if field.value.is_empty() => "on",
                _ if told.is_some() => told.unwrap_or_default(),
                _ if field.completes.contains("username") || field.name.contains("user") => user.localpart(),
                _ => &field.value,
            };
            sent.append_pair(&field.name, value);
        }
        if let Some((name, value)) = self.button.as_ref().filter(|(name, _)| !name.is_empty()) {
            sent.append_pair(name, value);
        }
        sent.finish()
    }
}

fn attribute(attributes: &BTreeMap<HtmlString, Spanned<HtmlString, ()>>, name: &str) -> Option<String> {
    let value = attributes.get(name.as_bytes())?;
    Some(String::from_utf8_lossy(value).into_owned())
}

#[cfg(test)]
mod tests {
    use super::Form;

    #[test]
    fn the_first_form_of_a_page_is_read() {
        let page = b"<form method=post action='/go'><input type=hidden name=kept value='a&amp;b'>\
            <input name=username autocomplete=username><input name=password type=password>\
            <button name=action value=allow>Allow</button><button name=action value=deny>No</button></form>\
            <form><input name=other></form>";
        let form = Form::first_of(page).expect("a form");
        assert_eq!((form.action.as_str(), form.by_post), ("/go", true));
        let names: Vec<_> =
            form.fields.iter().map(|field| (field.name.as_str(), field.value.as_str())).collect();
        assert_eq!(names, [("kept", "a&b"), ("username", ""), ("password", "")]);
        assert_eq!(form.button, Some(("action".to_owned(), "allow".to_owned())));
        assert!(Form::first_of(b"<p>nothing to fill in</p>").is_none());
    }
}
