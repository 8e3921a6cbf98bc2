//! `dermalia keys`: the keys that sign links, for a deployment.

use std::io::Read;

use anyhow::Context;
use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use dermalia_link::{KeyId, SigningKey};
use serde_json::json;

use crate::cli::KeysCommand;
use crate::output::{Failure, Output};

pub(crate) fn run(command: &KeysCommand, output: &Output) -> Result<(), Failure> {
    match command {
        KeysCommand::New { id } => {
            let mut seed = [0; 32];
            getrandom::fill(&mut seed).context("the operating system gave no random bytes")?;
            let key = SigningKey::from_seed(KeyId::new(*id), &seed);
            let (secret, public) = (format!("{id}:{}", HEXLOWER.encode(&seed)), public(&key));
            output.result(
                &format!("secret  {secret}\npublic  {public}"),
                &json!({ "secret": secret, "public": public }),
            );
        }
        KeysCommand::Public => {
            let mut text = String::new();
            std::io::stdin()
                .take(1_000)
                .read_to_string(&mut text)
                .context("the secret cannot be read from standard input")?;
            let key = parse(&text).context(
                "expected `id:` and 64 hexadecimal digits on standard input, got another form",
            )?;
            let public = public(&key);
            output.result(&public, &json!({ "public": public }));
        }
    }
    Ok(())
}

fn public(key: &SigningKey) -> String {
    let bytes = key.public().to_bytes();
    format!("{}:{}", key.id(), BASE64URL_NOPAD.encode(&bytes))
}

fn parse(text: &str) -> Option<SigningKey> {
    let (id, seed) = text.trim().split_once(':')?;
    let seed: [u8; 32] = HEXLOWER.decode(seed.as_bytes()).ok()?.try_into().ok()?;
    Some(SigningKey::from_seed(KeyId::new(id.parse().ok()?), &seed))
}
