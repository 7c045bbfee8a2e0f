//! Where e-mail and text messages of a run arrive.

use std::{
    net::TcpListener,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use serde_json::json;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    sync::watch,
    task::JoinHandle,
};

use super::{Asked, Neighbour};
use crate::{
    cast::{Homeserver, remote::Reply},
    judge::Judge,
    verdict::Stop,
};

/// A mail relay that keeps what it is given: as much of RFC 5321 as a client needs that has something to send.
#[derive(Debug)]
pub(crate) struct Relay {
    mails: Arc<watch::Sender<Vec<Mail>>>,
    door: JoinHandle<()>,
}

#[derive(Clone, Debug)]
struct Mail {
    recipients: Vec<String>,
    text: String,
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.door.abort();
    }
}

impl Relay {
    pub(crate) fn open(listener: TcpListener) -> Result<Self, Stop> {
        let fault = |error: std::io::Error| Stop::Fault(format!("no mail relay: {error}"));
        listener.set_nonblocking(true).map_err(fault)?;
        let listener = tokio::net::TcpListener::from_std(listener).map_err(fault)?;
        let mails = Arc::new(watch::Sender::new(Vec::new()));
        let keep = mails.clone();
        let door = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(take(stream, keep.clone()));
            }
        });
        Ok(Relay { mails, door })
    }
}

async fn take(stream: TcpStream, keep: Arc<watch::Sender<Vec<Mail>>>) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    stream.write_all(b"220 determinant\r\n").await?;
    let (mut line, mut recipients, mut text) = (String::new(), Vec::new(), None::<String>);
    while stream.read_line(&mut line).await? > 0 {
        let answer = match &mut text {
            Some(_) if line == ".\r\n" => {
                let (text, recipients) = (text.take().unwrap_or_default(), std::mem::take(&mut recipients));
                keep.send_modify(|mails| mails.push(Mail { recipients, text }));
                "250 kept\r\n"
            }
            Some(text) => {
                text.push_str(&line);
                ""
            }
            None => match line.get(..4).unwrap_or_default().to_ascii_uppercase().as_str() {
                "RCPT" => {
                    let address = line.split(['<', '>']).nth(1).unwrap_or_default();
                    recipients.push(address.to_lowercase());
                    "250 known\r\n"
                }
                "DATA" => {
                    text = Some(String::new());
                    "354 go on\r\n"
                }
                "QUIT" => return stream.write_all(b"221 farewell\r\n").await,
                _ => "250 well\r\n",
            },
        };
        stream.write_all(answer.as_bytes()).await?;
        line.clear();
    }
    Ok(())
}

/// The mailbox of an address.
#[derive(Clone, Debug)]
pub struct Mailbox {
    hs: Homeserver,
    relay: Arc<Relay>,
    address: String,
}

/// A telephone that takes text messages.
#[derive(Clone, Debug)]
pub struct Telephone {
    hs: Homeserver,
    gateway: Arc<Neighbour>,
    number: String,
}

impl Neighbour {
    /// The gateway for text messages listens for a run.
    pub(crate) fn text_messages(judge: Arc<Judge>, listener: TcpListener) -> Result<Arc<Self>, Stop> {
        let usual = |_: &Asked| Some(Reply::json(json!({})));
        Neighbour::open("gateway for text messages", None, judge, listener, None, usual)
    }
}

impl Homeserver {
    /// The mailbox of an address that nobody has; the test does not apply where the target sends no e-mail.
    pub fn mailbox(&self) -> Result<Mailbox, Stop> {
        let relay = self.trial().neighbours.mail()?;
        let address = format!("determinant-{:x}-{}@example.org", rand::random::<u32>(), self.unique());
        Ok(Mailbox { hs: self.clone(), relay, address })
    }

    /// A telephone whose number nobody has, in national form a British mobile number; likewise.
    pub fn telephone(&self) -> Result<Telephone, Stop> {
        let gateway = self.trial().neighbours.text_messages()?;
        let number = format!("07700{:06}", rand::random::<u32>() % 1_000_000);
        Ok(Telephone { hs: self.clone(), gateway, number })
    }
}

impl Mailbox {
    /// The address.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Waits for a mail with a link, and gives the link; `number` counts the mails to this address from zero.
    pub async fn link(&self, number: usize) -> Result<String, Stop> {
        let mut mails = self.relay.mails.subscribe();
        let waited = tokio::time::timeout(
            self.hs.patience(),
            mails.wait_for(|mails| self.own(mails).nth(number).is_some()),
        );
        let text =
            waited.await.ok().and_then(Result::ok).and_then(|mails| self.own(&mails).nth(number).cloned());
        let Some(text) = text else {
            return Err(Stop::unmet(format!("an e-mail to {}", self.address), "none that came in time"));
        };
        link(&text).ok_or_else(|| Stop::unmet("an e-mail with a link in it", text))
    }

    /// How many mails have come.
    pub fn count(&self) -> usize {
        self.own(&self.relay.mails.borrow()).count()
    }

    fn own<'a>(&'a self, mails: &'a [Mail]) -> impl Iterator<Item = &'a String> {
        mails.iter().filter(|mail| mail.recipients.contains(&self.address)).map(|mail| &mail.text)
    }
}

/// The first link in a mail, whatever its encoding: base64, quoted-printable, or none.
fn link(text: &str) -> Option<String> {
    let text = unquoted(decoded(text)).replace("&amp;", "&");
    let mut words = text.split(|sign: char| sign.is_whitespace() || "\"<>".contains(sign));
    words.find(|word| word.starts_with("http") && word.contains("token=")).map(str::to_owned)
}

/// The text as it was before it was made quoted-printable, where its headers say that it is. What stands there unencoded may
/// look encoded: a token can begin with `3d`.
fn unquoted(text: String) -> String {
    if !text.to_ascii_lowercase().contains("content-transfer-encoding: quoted-printable") {
        return text;
    }
    let bytes = quoted_printable::decode(&text, quoted_printable::ParseMode::Robust);
    bytes.map_or(text, |bytes| String::from_utf8_lossy(&bytes).into_owned())
}

/// The text with every paragraph decoded that is base64: the bodies of its parts.
fn decoded(text: &str) -> String {
    let plain = |paragraph: &str| {
        let body = paragraph.split("\r\n--").next().unwrap_or_default();
        let letters: String =
            body.chars().filter(|letter| !letter.is_whitespace() && *letter != '=').collect();
        let bytes = protocol::base64::decode(&letters).ok().filter(|bytes| bytes.len() > 16)?;
        String::from_utf8(bytes).ok()
    };
    let paragraphs = text.split("\r\n\r\n").map(|it| plain(it).unwrap_or_else(|| it.to_owned()));
    paragraphs.collect::<Vec<_>>().join("\r\n\r\n")
}

impl Telephone {
    /// The number as it is dialled in Great Britain.
    pub fn number(&self) -> &str {
        &self.number
    }

    /// Waits for a text message, and gives the number in it; `number` counts the messages with one from zero.
    pub async fn code(&self, number: usize) -> Result<String, Stop> {
        let to = format!("+44{}", &self.number[1..]);
        let seen = AtomicUsize::new(0);
        let find = |asked: &Asked| {
            let text = asked.json["text"].as_str().filter(|_| asked.json["to"] == to.as_str())?;
            let mut words = text.split(|sign: char| !sign.is_ascii_digit());
            let code = words.find(|word| word.len() >= 4)?.to_owned();
            (seen.fetch_add(1, Ordering::Relaxed) == number).then_some(code)
        };
        self.gateway.sees(&self.hs, "a text message with a code in it", find).await
    }
}

#[cfg(test)]
mod tests {
    use super::link;

    #[test]
    fn a_link_is_found_in_any_encoding() {
        let quoted = |body: &str| format!("Content-Transfer-Encoding: quoted-printable\r\n\r\n{body}\r\n");
        let text = quoted("Go to http://a/?sid=3D1&token=\r\n=3Dx now");
        assert_eq!(link(&text).as_deref(), Some("http://a/?sid=1&token=x"));
        let text = quoted("see http://b/ and <a href=3D\"http://a/?sid=3D1&amp;token=3Dx\">this</a>");
        assert_eq!(link(&text).as_deref(), Some("http://a/?sid=1&token=x"));
        let text = "Content-Transfer-Encoding: base64\r\n\r\nU2VlIGh0dHA6Ly9hLz9zaWQ9MSZ0b2tl\r\nbj14IG5vdy4=\r\n--=1--\r\n";
        assert_eq!(link(text).as_deref(), Some("http://a/?sid=1&token=x"));
        assert_eq!(link(&quoted("http://a/?to=\r\nken=3Dx")).as_deref(), Some("http://a/?token=x"));
    }

    #[test]
    fn a_token_that_looks_encoded_stays_as_it_is() {
        let text = "Content-Transfer-Encoding: quoted-printable\r\n\r\nhttp://a/?token=3D3dx\r\n";
        assert_eq!(link(text).as_deref(), Some("http://a/?token=3dx"));
        assert_eq!(link("\r\n\r\nhttp://a/?token=3dx\r\n").as_deref(), Some("http://a/?token=3dx"));
    }
}
