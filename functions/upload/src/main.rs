//! The function `upload` in Lambda, behind its own URL.

use std::sync::Arc;

use dermalia_cloud::{Deployment, lambda, telemetry};
use dermalia_scan::Limits;
use dermalia_upload::door::{Door, DoorError, MAX_OFFER_BYTES, Offer};
use serde_json::{Value, json};

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
    lambda::serve(|invocation| answer(&door, invocation.event)).await
}

/// Signs with the function's own credentials.
struct Presigner(Arc<dermalia_cloud::S3Objects>);

#[async_trait::async_trait]
impl dermalia_upload::door::Signer for Presigner {
    async fn sign(
        &self,
        key: &str,
        bytes: u64,
        sha256: &str,
    ) -> Result<dermalia_upload::door::SignedRequest, dermalia_record::port::PortError> {
        let (url, headers) = self.0.presign_put(key, bytes, sha256).await?;
        Ok(dermalia_upload::door::SignedRequest { url, headers })
    }
}

/// One request, in the form of a function's URL.
async fn answer(door: &Door, event: String) -> Result<Value, lambda::Error> {
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
    let body = event.get("body")?.as_str()?;
    if body.len() > MAX_OFFER_BYTES {
        return None;
    }
    if event.get("isBase64Encoded").and_then(Value::as_bool) == Some(true) {
        let bytes = data_encoding::BASE64.decode(body.as_bytes()).ok()?;
        return serde_json::from_slice(&bytes).ok();
    }
    serde_json::from_str(body).ok()
}
