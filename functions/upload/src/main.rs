//! The function `upload` in Lambda, behind its own URL.

// Its futures nest deeper than the compiler looks by default.
#![recursion_limit = "256"]

use std::sync::Arc;

use dermalia_cloud::{Deployment, DynamoRecords, ObjectPart, lambda, telemetry};
use dermalia_record::port::PortError;
use dermalia_scan::Limits;
use dermalia_upload::door::{
    Door, DoorError, MAX_OFFER_BYTES, Offer, OfferedFile, Parts, SignedRequest, Signer,
};
use dermalia_upload::mail_events::{EventSecret, SignedEvent, mail_event, note, verify};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

/// Where the mail service tells what became of a mail.
const MAIL_EVENTS_PATH: &str = "/mail-events";

#[tokio::main]
async fn main() -> Result<(), lambda::Error> {
    telemetry::init();
    let deployment = Deployment::from_env().await;
    let objects = Arc::new(deployment.objects()?);
    let door = Door {
        practices: Arc::new(deployment.practices()?),
        objects: Arc::<dermalia_cloud::S3Objects>::clone(&objects),
        signer: Arc::new(Presigner(objects)),
        limits: Limits::default(),
    };
    let mail = MailEvents {
        records: deployment.records()?,
        deployment,
        secrets: OnceCell::new(),
    };
    lambda::serve(|invocation| answer(&door, &mail, invocation.event)).await
}

/// What the events of mails need; the secret is read with the first of them.
struct MailEvents {
    records: DynamoRecords,
    deployment: Deployment,
    secrets: OnceCell<Vec<EventSecret>>,
}

impl MailEvents {
    async fn secrets(&self) -> Result<&[EventSecret], lambda::Error> {
        let read = async || {
            let text = self.deployment.mail_events_secret().await?;
            // Two while the one is exchanged for the other; none where no service tells.
            let parsed = text.iter().flat_map(|t| t.split_whitespace());
            Ok::<_, lambda::Error>(parsed.map(str::parse).collect::<Result<Vec<_>, _>>()?)
        };
        Ok(self.secrets.get_or_try_init(read).await?)
    }

    async fn answer(&self, event: &Value) -> Result<(u16, Value), lambda::Error> {
        let header = |name: &str| {
            let found = event.get("headers").and_then(|all| all.get(name));
            found.and_then(Value::as_str).unwrap_or_default()
        };
        let body = body(event).unwrap_or_default();
        let signed = SignedEvent {
            id: header("svix-id"),
            timestamp: header("svix-timestamp"),
            signatures: header("svix-signature"),
            body: &body,
        };
        let now_secs = self.deployment.clock().now_secs();
        if let Err(error) = verify(self.secrets().await?, &signed, now_secs) {
            tracing::warn!(%error, "an event of a mail was not believed");
            return Ok((401, json!({ "error": error.to_string() })));
        }
        Ok(match mail_event(&body) {
            Err(error) => (422, json!({ "error": error.to_string() })),
            Ok(None) => (200, json!({ "noted": false })),
            Ok(Some(event)) => match note(&self.records, &event).await {
                Ok(noted) => (200, json!({ "noted": noted })),
                Err(error) => {
                    tracing::error!(%error, "an event of a mail was not noted");
                    (503, json!({ "error": "try again" }))
                }
            },
        })
    }
}

/// Signs with the function's own credentials.
struct Presigner(Arc<dermalia_cloud::S3Objects>);

#[async_trait::async_trait]
impl Signer for Presigner {
    async fn sign(&self, key: &str, bytes: u64, sha256: &str) -> Result<SignedRequest, PortError> {
        let (url, headers) = self.0.presign_put(key, bytes, sha256).await?;
        Ok(SignedRequest { url, headers })
    }

    async fn sign_parts(&self, key: &str, file: &OfferedFile) -> Result<Parts, PortError> {
        let part = |(bytes, sha256): (u64, &str)| ObjectPart {
            bytes,
            sha256: sha256.to_owned(),
        };
        let parts: Vec<ObjectPart> = file.parts().map(part).collect();
        let Some(requests) = self.0.presign_parts(key, &file.sha256, &parts).await? else {
            return Ok(Parts::Whole);
        };
        let signed = |request: Option<dermalia_cloud::Presigned>| {
            request.map(|(url, headers)| SignedRequest { url, headers })
        };
        Ok(Parts::Missing(requests.into_iter().map(signed).collect()))
    }
}

/// One request, in the form of a function's URL.
async fn answer(door: &Door, mail: &MailEvents, event: String) -> Result<Value, lambda::Error> {
    let event: Value = serde_json::from_str(&event)?;
    let respond = |status: u16, body: Value| {
        json!({
            "statusCode": status,
            "headers": { "content-type": "application/json", "cache-control": "no-store" },
            "body": body.to_string(),
        })
    };
    let method = event.pointer("/requestContext/http/method");
    if method.and_then(Value::as_str) != Some("POST") {
        return Ok(respond(405, json!({ "error": "expected POST" })));
    }
    if event.get("rawPath").and_then(Value::as_str) == Some(MAIL_EVENTS_PATH) {
        let (status, body) = mail.answer(&event).await?;
        return Ok(respond(status, body));
    }
    let credential = event
        .pointer("/headers/authorization")
        .and_then(Value::as_str)
        .and_then(|value| value.strip_prefix("Bearer "));
    let Some(credential) = credential else {
        return Ok(respond(401, json!({ "error": "expected a credential" })));
    };
    let Some(offer) = offer(&event) else {
        return Ok(respond(
            400,
            json!({ "error": "expected an offer as JSON" }),
        ));
    };
    Ok(match door.answer(credential, &offer).await {
        Ok(places) => respond(200, json!({ "files": places })),
        Err(DoorError::Credential) => {
            tracing::warn!("a credential was not accepted");
            respond(401, json!({ "error": DoorError::Credential.to_string() }))
        }
        Err(DoorError::Offer { reason }) => respond(422, json!({ "error": reason })),
        Err(DoorError::Port(error)) => {
            tracing::error!(%error, "an offer was not answered");
            respond(503, json!({ "error": "try again" }))
        }
    })
}

fn offer(event: &Value) -> Option<Offer> {
    let body = body(event)?;
    serde_json::from_slice(&body).ok()
}

/// The body, byte for byte; `None` for none or a long one.
fn body(event: &Value) -> Option<Vec<u8>> {
    let body = event.get("body")?.as_str()?;
    if body.len() > MAX_OFFER_BYTES {
        return None;
    }
    if event.get("isBase64Encoded").and_then(Value::as_bool) == Some(true) {
        return data_encoding::BASE64.decode(body.as_bytes()).ok();
    }
    Some(body.as_bytes().to_vec())
}
