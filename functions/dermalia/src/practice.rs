//! `dermalia practice`: practices, their terms and their credentials.

use anyhow::{Context, bail};
use dermalia_record::audit::{Action, Actor, Draft};
use dermalia_record::{Credential, Logo, Practice, PracticeError, PracticeId};
use serde_json::json;

use crate::cli::{PracticeCommand, TermsArgs};
use crate::output::{Failure, Output};
use crate::place::Place;

/// How many practices are listed at once.
const PAGE: usize = 100;

pub(crate) async fn run(command: &PracticeCommand, output: &Output) -> Result<(), Failure> {
    let place = match command {
        PracticeCommand::Add { place, .. }
        | PracticeCommand::Terms { place, .. }
        | PracticeCommand::Rotate { place, .. }
        | PracticeCommand::Retire { place, .. }
        | PracticeCommand::List { place } => place,
    };
    let register = Place::of(&place.data).await?;
    Ok(match command {
        PracticeCommand::Add { id, terms, .. } => register.add(id, terms, output).await,
        PracticeCommand::Terms { id, terms, .. } => register.change(id, terms, output).await,
        PracticeCommand::Rotate { id, .. } => register.rotate(id, output).await,
        PracticeCommand::Retire { id, .. } => register.retire(id, output).await,
        PracticeCommand::List { .. } => register.list(output).await,
    }?)
}

impl Place {
    async fn add(&self, id: &str, terms: &TermsArgs, output: &Output) -> anyhow::Result<()> {
        let id: PracticeId = id.parse()?;
        let mut practice = Practice::new(id.clone());
        set(&mut practice, terms, logo_of(terms)?.as_ref());
        practice.check()?;
        let credential = Credential::random()?;
        practice.credentials.rotate(&credential);
        let Some(practice) = self.ports.practices.put(practice).await? else {
            bail!("{id} is a practice already: see `practice terms` and `practice rotate`");
        };
        self.tell(&practice, Action::TermsChanged).await?;
        show_credential(&practice, &credential, output);
        Ok(())
    }

    async fn change(&self, id: &str, terms: &TermsArgs, output: &Output) -> anyhow::Result<()> {
        let logo = logo_of(terms)?;
        let practice = self
            .write(id, |practice| {
                set(practice, terms, logo.as_ref());
                practice.check()
            })
            .await?;
        self.tell(&practice, Action::TermsChanged).await?;
        show(&practice, output);
        Ok(())
    }

    async fn rotate(&self, id: &str, output: &Output) -> anyhow::Result<()> {
        let credential = Credential::random()?;
        let practice = self
            .write(id, |practice| {
                practice.credentials.rotate(&credential);
                Ok(())
            })
            .await?;
        self.tell(&practice, Action::CredentialRotated).await?;
        show_credential(&practice, &credential, output);
        Ok(())
    }

    async fn retire(&self, id: &str, output: &Output) -> anyhow::Result<()> {
        let practice = self
            .write(id, |practice| {
                practice.credentials.retire_previous();
                Ok(())
            })
            .await?;
        self.tell(&practice, Action::CredentialRotated).await?;
        show(&practice, output);
        Ok(())
    }

    async fn list(&self, output: &Output) -> anyhow::Result<()> {
        let mut after = None;
        loop {
            let page = self.ports.practices.list(after.as_ref(), PAGE).await?;
            for practice in &page {
                show(practice, output);
            }
            match page.last() {
                Some(last) if page.len() == PAGE => after = Some(last.id.clone()),
                _ => return Ok(()),
            }
        }
    }

    /// Changes a practice as it is now.
    async fn write(
        &self,
        id: &str,
        change: impl Fn(&mut Practice) -> Result<(), PracticeError>,
    ) -> anyhow::Result<Practice> {
        let id: PracticeId = id.parse()?;
        let found = self.ports.practices.get(&id).await?;
        let mut practice = found.with_context(|| format!("{id} is no practice here"))?;
        change(&mut practice)?;
        let written = self.ports.practices.put(practice).await?;
        written.with_context(|| format!("{id} was changed meanwhile: try again"))
    }

    /// Tells the audit log; the version of the practice names the change.
    async fn tell(&self, practice: &Practice, action: Action) -> anyhow::Result<()> {
        let draft = Draft {
            practice: practice.id.clone(),
            scan: None,
            operation: format!("practice/{}", practice.version),
            actor: Actor::Operator,
            action,
            inventory: None,
        };
        self.audit.record(&draft).await?;
        Ok(())
    }
}

/// The logo in the file that is named, made anew.
fn logo_of(terms: &TermsArgs) -> anyhow::Result<Option<Logo>> {
    let Some(path) = &terms.logo else {
        return Ok(None);
    };
    let file = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(Some(Logo::new(dermalia_report::pictures::logo(&file)?)?))
}

fn set(practice: &mut Practice, terms: &TermsArgs, logo: Option<&Logo>) {
    if terms.no_logo || logo.is_some() {
        practice.logo = logo.cloned();
    }
    let text = |given: &Option<String>, kept: &mut Option<String>| {
        if given.is_some() {
            kept.clone_from(given);
        }
    };
    text(&terms.name, &mut practice.name);
    text(&terms.contact, &mut practice.contact);
    text(&terms.sender, &mut practice.sender);
    text(&terms.reply_to, &mut practice.reply_to);
    if let Some(locale) = terms.locale {
        practice.locale = locale.tag().to_owned();
    }
    let number = |given: Option<u16>, kept: &mut u16| *kept = given.unwrap_or(*kept);
    number(terms.retention_months, &mut practice.retention_months);
    number(terms.bundle_days, &mut practice.bundle_days);
    number(terms.link_days, &mut practice.link_days);
    if let Some(code) = terms.code_required {
        practice.code_required = code;
    }
}

fn show(practice: &Practice, output: &Output) {
    let credentials = &practice.credentials;
    let live =
        usize::from(credentials.current.is_some()) + usize::from(credentials.previous.is_some());
    output.result(
        &format!(
            "practice   {}\nname       {}\nkept       {} months\nbundle     {} days\n\
             link       {} days\ncredentials {live}",
            practice.id,
            practice.name.as_deref().unwrap_or("-"),
            practice.retention_months,
            practice.bundle_days,
            practice.link_days,
        ),
        &json!({
            "practice": practice.id,
            "name": practice.name,
            "locale": practice.locale,
            "logo": practice.logo.is_some(),
            "retention_months": practice.retention_months,
            "bundle_days": practice.bundle_days,
            "link_days": practice.link_days,
            "code_required": practice.code_required,
            "credentials": live,
        }),
    );
}

fn show_credential(practice: &Practice, credential: &Credential, output: &Output) {
    output.result(
        &format!(
            "practice    {}\ncredential  {}\nIt is shown this once. The one before stays valid until \
             `practice retire`.",
            practice.id,
            credential.reveal()
        ),
        &json!({ "practice": practice.id, "credential": credential.reveal() }),
    );
}
