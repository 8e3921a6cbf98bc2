//! What leaves: the answer, and what goes with it.

use dermalia_locale::Locale;

use crate::headers::{self, Caching, FILE_POLICY};
use crate::message::{AccessMessage, RequestMessage};
use crate::problem::{Problem, problem_page};
use crate::tally::{Allowance, Counted};
use crate::token::Token;

/// A header: its name in lower case, and its value.
pub type Header = (&'static str, String);

/// When to try again after something behind the edge failed.
pub(crate) const RETRY_AFTER_SECS: u32 = 30;

/// A whole answer. The headers include `content-length`, except at 204 and
/// 304.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The headers, each name once.
    pub headers: Vec<Header>,
    /// The body.
    pub body: Body,
}

/// The body of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// None, though `content-length` may state what GET would bring.
    Empty,
    /// This text.
    Text(String),
    /// The origin's body, streamed as it comes.
    Origin,
}

/// What to do next.
#[derive(Clone, Debug)]
pub enum Next {
    /// Send this.
    Reply(Reply),
    /// Take one from the allowance, then do what [`Count::after`] says.
    Count(Count),
}

/// An answer, and what goes with it.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The answer.
    pub answer: Answer,
    /// The message to the cloud, if there is one.
    pub message: Option<Message>,
    /// What was taken from this allowance is to be given back.
    pub give_back: Option<Allowance>,
    /// What the message was granted from.
    pub(crate) granted: Option<Allowance>,
    pub(crate) locale: Locale,
}

/// A message, by its queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// For the queue of accesses: to be sent without keeping the reader
    /// waiting. If it is lost, it is lost.
    Access(AccessMessage),
    /// For the queue of requests: to be sent first. If the queue does not take
    /// it, the answer is [`Reply::not_taken`].
    Request(RequestMessage),
}

/// One to be taken from an allowance.
#[derive(Clone, Debug)]
pub struct Count {
    /// From which.
    pub allowance: Allowance,
    pub(crate) purpose: crate::act::Counting,
}

impl Message {
    /// As it is sent.
    #[must_use]
    pub fn to_json(&self) -> String {
        match self {
            Self::Access(message) => message.to_json(),
            Self::Request(message) => message.to_json(),
        }
    }
}

impl Reply {
    pub(crate) fn new(answer: Answer, locale: Locale) -> Self {
        Self {
            answer,
            message: None,
            give_back: None,
            granted: None,
            locale,
        }
    }

    pub(crate) fn with_message(self, message: Message) -> Self {
        Self {
            message: Some(message),
            ..self
        }
    }

    /// The same where the queue did not take the message: 503, and nothing
    /// counted.
    #[must_use]
    pub fn not_taken(self) -> Self {
        let problem = Problem::OriginFailed(RETRY_AFTER_SECS);
        Self {
            answer: problem_page(problem, self.locale, false),
            message: None,
            give_back: self.granted,
            granted: None,
            locale: self.locale,
        }
    }
}

impl Count {
    /// What to do once the tally has spoken; `None` where it could not be
    /// asked, which grants nothing.
    #[must_use]
    pub fn after(self, counted: Option<Counted>, host: &crate::Host, now_secs: u64) -> Next {
        self.purpose.after(self.allowance, counted, host, now_secs)
    }
}

impl Answer {
    /// The value of a header, by its name in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(status: u16, mut headers: Vec<Header>, text: String, is_head: bool) -> Self {
        headers.push(("content-length", text.len().to_string()));
        Self {
            status,
            headers,
            body: if is_head {
                Body::Empty
            } else {
                Body::Text(text)
            },
        }
    }

    /// 204: taken, and nothing to say.
    pub(crate) fn taken() -> Self {
        Self {
            status: 204,
            headers: headers::common(FILE_POLICY.to_owned(), Caching::Never),
            body: Body::Empty,
        }
    }

    /// 303: to the report itself.
    pub(crate) fn to_report(token: &Token) -> Self {
        let mut headers = headers::common(FILE_POLICY.to_owned(), Caching::Never);
        headers.push(("location", token.path()));
        Self::text(303, headers, String::new(), true)
    }
}
