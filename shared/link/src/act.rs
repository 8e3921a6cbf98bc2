//! What a reader does to a report, beyond reading it.

use dermalia_locale::Locale;

use crate::claims::Claims;
use crate::code::{Code, CodeHash};
use crate::forms::{Complaint, Wish, code_page, wish_page, wish_taken};
use crate::host::Host;
use crate::message::{AccessMessage, ReaderRequest, RequestMessage, UsageEvent};
use crate::problem::{Problem, problem_page};
use crate::reply::{Answer, Count, Message, Next, RETRY_AFTER_SECS, Reply};
use crate::request::Event;
use crate::tally::{Allowance, Counted};
use crate::token::Token;

/// What is done, once the report is known to exist and its links to be of the
/// link's epoch.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    /// Something on the page was used.
    Event(Event),
    /// A code was typed; none if it was no code.
    Unlock(Option<Code>),
    /// The form of a wish is looked at.
    ShowWish(Wish),
    /// A wish was sent.
    TakeWish(Wish),
}

/// Whose act it is.
#[derive(Clone, Debug)]
pub(crate) struct Actor {
    pub(crate) claims: Claims,
    pub(crate) token: Token,
    pub(crate) locale: Locale,
    pub(crate) is_head: bool,
}

/// Why something is counted.
#[derive(Clone, Debug)]
pub(crate) struct Counting {
    actor: Actor,
    what: Purpose,
}

#[derive(Clone, Debug)]
enum Purpose {
    Code { code: Code, hash: CodeHash },
    Wish(Wish),
}

impl Actor {
    pub(crate) fn reply(&self, answer: Answer) -> Next {
        Next::Reply(Reply::new(answer, self.locale))
    }

    pub(crate) fn problem(&self, problem: Problem) -> Next {
        self.reply(problem_page(problem, self.locale, self.is_head))
    }

    pub(crate) fn fault(&self) -> Next {
        self.problem(Problem::OriginFailed(RETRY_AFTER_SECS))
    }

    pub(crate) fn ask_for_code(&self, complaint: Option<Complaint>) -> Next {
        self.reply(code_page(&self.token, self.locale, complaint, self.is_head))
    }

    /// `code` is the hash of the report's code, if it has one; `usage_is_off`
    /// is the patient's objection.
    pub(crate) fn act(
        &self,
        act: &Act,
        code: Option<&CodeHash>,
        usage_is_off: bool,
        now_secs: u64,
    ) -> Next {
        match act {
            Act::Event(_) if usage_is_off => self.reply(Answer::taken()),
            Act::Event(event) => {
                let message = AccessMessage::Usage(UsageEvent {
                    at_secs: now_secs,
                    report_id: self.claims.report_id,
                    action: event.action,
                    subject: event.subject.clone(),
                });
                let reply = Reply::new(Answer::taken(), self.locale);
                Next::Reply(reply.with_message(Message::Access(message)))
            }
            Act::Unlock(typed) => match (code, typed) {
                (None, _) => self.reply(Answer::to_report(&self.token)),
                (Some(_), None) => self.ask_for_code(Some(Complaint::NoCode)),
                (Some(hash), Some(code)) => self.count(
                    Allowance::codes(&self.claims),
                    Purpose::Code {
                        code: code.clone(),
                        hash: hash.clone(),
                    },
                ),
            },
            Act::ShowWish(wish) => {
                self.reply(wish_page(*wish, &self.token, self.locale, self.is_head))
            }
            Act::TakeWish(wish) => self.count(
                Allowance::requests(wish.name(), &self.claims, now_secs),
                Purpose::Wish(*wish),
            ),
        }
    }

    fn count(&self, allowance: Allowance, what: Purpose) -> Next {
        Next::Count(Count {
            allowance,
            purpose: Counting {
                actor: self.clone(),
                what,
            },
        })
    }
}

impl Counting {
    pub(crate) fn after(
        self,
        allowance: Allowance,
        counted: Option<Counted>,
        host: &Host,
        now_secs: u64,
    ) -> Next {
        let Self { actor, what } = self;
        let Some(counted) = counted else {
            return actor.fault();
        };
        match what {
            Purpose::Code { code, hash } => {
                let Counted::Granted { left } = counted else {
                    return actor.problem(Problem::LockedOut);
                };
                match hash.fits(&code, actor.claims.report_id) {
                    Ok(true) => {
                        let mut answer = Answer::to_report(&actor.token);
                        let session = &host.session;
                        let cookie = session.set_cookie(&actor.claims, &hash.to_string(), now_secs);
                        answer.headers.push(("set-cookie", cookie));
                        let mut reply = Reply::new(answer, actor.locale);
                        // Only wrong codes count.
                        reply.give_back = Some(allowance);
                        Next::Reply(reply)
                    }
                    Ok(false) if left == 0 => actor.problem(Problem::LockedOut),
                    Ok(false) => actor.ask_for_code(Some(Complaint::Wrong { left })),
                    Err(_) => actor.fault(),
                }
            }
            Purpose::Wish(wish) => {
                if let Counted::Refused { retry_after_secs } = counted {
                    let secs = retry_after_secs.and_then(|secs| u32::try_from(secs).ok());
                    return actor.problem(Problem::AskedBefore(secs.unwrap_or(u32::MAX)));
                }
                let request = ReaderRequest {
                    at_secs: now_secs,
                    report_id: actor.claims.report_id,
                    epoch: actor.claims.epoch,
                    language: actor.locale,
                };
                let message = match wish {
                    Wish::Renew => RequestMessage::Renew(request),
                    Wish::Erase => RequestMessage::Erase(request),
                    Wish::Confirm => RequestMessage::EraseConfirmed(request),
                    Wish::Object => RequestMessage::Object(request),
                };
                let answer = wish_taken(wish, &actor.token, actor.locale);
                let mut reply =
                    Reply::new(answer, actor.locale).with_message(Message::Request(message));
                reply.granted = Some(allowance);
                Next::Reply(reply)
            }
        }
    }
}
