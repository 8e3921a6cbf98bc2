//! What the template tells a function by its environment.

use std::collections::BTreeMap;
use std::sync::Arc;

use aws_config::{AppName, BehaviorVersion, SdkConfig};
use dermalia_link::{KeyId, SigningKey};
use dermalia_record::port::{Email, Mailer, PortError, Ports};
use dermalia_record::{Clock, Settings, SystemClock, Vault};

use crate::accesses::DynamoAccesses;
use crate::audit::DynamoAudit;
use crate::data_keys::DynamoDataKeys;
use crate::key_wrap::KmsKeyWrap;
use crate::mailer::{MailerError, ResendMailer};
use crate::objects::{Buckets, S3Objects};
use crate::practices::DynamoPractices;
use crate::queue::{QueuePlace, SqsQueue};
use crate::records::DynamoRecords;

/// Why a function cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum SetUpError {
    /// The template must set this variable.
    #[error("environment: {name} is missing")]
    Missing {
        /// Its name.
        name: &'static str,
    },
    /// It is set to something else.
    #[error("environment: {name}: expected {expected}, got something else")]
    Form {
        /// Its name.
        name: &'static str,
        /// What it should be.
        expected: &'static str,
    },
    /// A secret cannot be read.
    #[error("secrets: the one that {name} names cannot be read: {code}")]
    Secret {
        /// The variable that names it.
        name: &'static str,
        /// What the service said.
        code: String,
    },
    /// A stage's queue cannot be found.
    #[error("queues: {queue} cannot be found: {code}")]
    Queue {
        /// Its name.
        queue: String,
        /// What the service said.
        code: String,
    },
    /// The mailer refuses.
    #[error(transparent)]
    Mailer(#[from] MailerError),
}

/// The clients of a deployment, made once a process.
pub struct Deployment {
    config: SdkConfig,
    clock: Arc<dyn Clock>,
    /// What is known without the environment.
    named: BTreeMap<&'static str, String>,
}

/// Stands where a function has no right to send mail.
struct NoMailer;

#[async_trait::async_trait]
impl Mailer for NoMailer {
    async fn send(&self, _: &Email, _: &str) -> Result<(), PortError> {
        let detail = "this function has no mailer";
        Err(PortError::permanent("mailer", "send", detail))
    }
}

impl Deployment {
    /// Reads region, credentials and end points as every AWS client does.
    pub async fn from_env() -> Self {
        let mut loader = aws_config::defaults(BehaviorVersion::latest());
        // So that CloudTrail tells which function has called.
        let function = std::env::var("AWS_LAMBDA_FUNCTION_NAME").ok();
        if let Some(name) = function.and_then(|name| AppName::new(name).ok()) {
            loader = loader.app_name(name);
        }
        Self {
            config: loader.load().await,
            clock: Arc::new(SystemClock::default()),
            named: BTreeMap::new(),
        }
    }

    /// What an operator works on: the resources of a stage, by the names that the template
    /// gives them, with the operator's own credentials.
    ///
    /// # Errors
    /// When the stage has no queues, or they cannot be asked for.
    pub async fn of_stage(stage: &str) -> Result<Self, SetUpError> {
        let mut deployment = Self::from_env().await;
        let named = &mut deployment.named;
        named.insert("TABLE_NAME", format!("dermalia-{stage}"));
        named.insert("KEYS_TABLE_NAME", format!("dermalia-{stage}-keys"));
        named.insert("DATA_KEY_ARN", format!("alias/dermalia-{stage}"));
        named.insert("INCOMING_BUCKET", format!("dermalia-{stage}-incoming"));
        named.insert("FINDINGS_BUCKET", format!("dermalia-{stage}-findings"));
        named.insert("REPORTS_BUCKET", format!("dermalia-{stage}-reports"));
        named.insert("SIGNING_KEY_SECRET", "dermalia/signing-key".to_owned());
        named.insert("MAX_RECEIVES", "5".to_owned());
        let client = aws_sdk_sqs::Client::new(&deployment.config);
        for (name, queue) in [
            ("UPLOAD_QUEUE_URL", "uploads"),
            ("UPLOAD_DEAD_LETTERS_URL", "uploads-dead"),
            ("REPORT_QUEUE_URL", "reports"),
            ("REPORT_DEAD_LETTERS_URL", "reports-dead"),
            ("ACCESS_QUEUE_URL", "accesses"),
            ("ACCESS_DEAD_LETTERS_URL", "accesses-dead"),
            ("REQUEST_QUEUE_URL", "requests"),
            ("REQUEST_DEAD_LETTERS_URL", "requests-dead"),
        ] {
            let queue = format!("dermalia-{stage}-{queue}");
            let call = client.get_queue_url().queue_name(&queue);
            let answer = call.send().await.map_err(|e| {
                use aws_sdk_sqs::error::ProvideErrorMetadata as _;
                let code = e.code().unwrap_or("no answer").to_owned();
                SetUpError::Queue { queue, code }
            })?;
            named.extend(answer.queue_url.map(|url| (name, url)));
        }
        Ok(deployment)
    }

    fn variable(&self, name: &'static str) -> Result<String, SetUpError> {
        self.optional(name).ok_or(SetUpError::Missing { name })
    }

    fn optional(&self, name: &'static str) -> Option<String> {
        let named = self.named.get(name).cloned();
        let value = named.or_else(|| std::env::var(name).ok());
        value.filter(|value| !value.is_empty())
    }

    fn parsed<T: std::str::FromStr>(
        &self,
        name: &'static str,
        expected: &'static str,
    ) -> Result<Option<T>, SetUpError> {
        self.optional(name)
            .map(|text| {
                text.parse()
                    .map_err(|_| SetUpError::Form { name, expected })
            })
            .transpose()
    }

    /// The buckets.
    ///
    /// # Errors
    /// When their names are missing.
    pub fn objects(&self) -> Result<S3Objects, SetUpError> {
        let buckets = Buckets {
            incoming: self.variable("INCOMING_BUCKET")?,
            findings: self.variable("FINDINGS_BUCKET")?,
            reports: self.variable("REPORTS_BUCKET")?,
        };
        Ok(S3Objects::new(self.s3(), buckets))
    }

    /// The client for S3. An end point of one's own has no name for each bucket.
    #[must_use]
    pub fn s3(&self) -> aws_sdk_s3::Client {
        let own = ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"];
        let config = aws_sdk_s3::config::Builder::from(&self.config)
            .force_path_style(own.iter().any(|name| self.optional(name).is_some()))
            .build();
        aws_sdk_s3::Client::from_conf(config)
    }

    fn table(&self) -> Result<(aws_sdk_dynamodb::Client, String), SetUpError> {
        let client = aws_sdk_dynamodb::Client::new(&self.config);
        Ok((client, self.variable("TABLE_NAME")?))
    }

    /// The time.
    #[must_use]
    pub fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.clock)
    }

    /// The records.
    ///
    /// # Errors
    /// When the table's name is missing.
    pub fn records(&self) -> Result<DynamoRecords, SetUpError> {
        let (client, table) = self.table()?;
        Ok(DynamoRecords::new(client, table, self.clock()))
    }

    /// The practices.
    ///
    /// # Errors
    /// When the table's name is missing.
    pub fn practices(&self) -> Result<DynamoPractices, SetUpError> {
        let (client, table) = self.table()?;
        Ok(DynamoPractices::new(client, table))
    }

    /// The access records.
    ///
    /// # Errors
    /// When the table's name is missing.
    pub fn accesses(&self) -> Result<DynamoAccesses, SetUpError> {
        let (client, table) = self.table()?;
        Ok(DynamoAccesses::new(client, table, self.clock()))
    }

    /// The audit log.
    ///
    /// # Errors
    /// When the table's name is missing.
    pub fn audit(&self) -> Result<DynamoAudit, SetUpError> {
        let (client, table) = self.table()?;
        Ok(DynamoAudit::new(client, table))
    }

    /// What seals and opens personal fields.
    ///
    /// # Errors
    /// When the names of the key or of the keys' table are missing.
    pub fn vault(&self) -> Result<Vault, SetUpError> {
        let client = aws_sdk_dynamodb::Client::new(&self.config);
        let kms = aws_sdk_kms::Client::new(&self.config);
        Ok(Vault {
            keys: Arc::new(DynamoDataKeys::new(
                client,
                self.variable("KEYS_TABLE_NAME")?,
            )),
            wrap: Arc::new(KmsKeyWrap::new(kms, self.variable("DATA_KEY_ARN")?)),
        })
    }

    /// The queue of uploads.
    ///
    /// # Errors
    /// When its address is missing.
    pub fn uploads(&self) -> Result<SqsQueue, SetUpError> {
        self.queue("UPLOAD_QUEUE_URL", "UPLOAD_DEAD_LETTERS_URL")
    }

    /// The queue of reports.
    ///
    /// # Errors
    /// When its address is missing.
    pub fn reports(&self) -> Result<SqsQueue, SetUpError> {
        self.queue("REPORT_QUEUE_URL", "REPORT_DEAD_LETTERS_URL")
    }

    /// The queue of what the edge tells of accesses.
    ///
    /// # Errors
    /// When its address is missing.
    pub fn queue_of_accesses(&self) -> Result<SqsQueue, SetUpError> {
        self.queue("ACCESS_QUEUE_URL", "ACCESS_DEAD_LETTERS_URL")
    }

    /// The queue of what readers ask for at the edge.
    ///
    /// # Errors
    /// When its address is missing.
    pub fn queue_of_requests(&self) -> Result<SqsQueue, SetUpError> {
        self.queue("REQUEST_QUEUE_URL", "REQUEST_DEAD_LETTERS_URL")
    }

    fn queue(&self, url: &'static str, dead: &'static str) -> Result<SqsQueue, SetUpError> {
        let max_receives = self.parsed("MAX_RECEIVES", "a number from 1")?;
        let place = QueuePlace {
            url: self.variable(url)?,
            dead_url: self.variable(dead)?,
            max_receives: max_receives.ok_or(SetUpError::Missing {
                name: "MAX_RECEIVES",
            })?,
        };
        Ok(SqsQueue::new(aws_sdk_sqs::Client::new(&self.config), place))
    }

    /// The mailer, with the key that Secrets Manager keeps.
    ///
    /// # Errors
    /// When the key cannot be read or used.
    pub async fn mailer(&self) -> Result<ResendMailer, SetUpError> {
        let key = self.secret("RESEND_KEY_SECRET").await?;
        let url = self.optional("RESEND_BASE_URL");
        Ok(ResendMailer::new(key.trim(), url.as_deref())?)
    }

    /// The key that signs links, which Secrets Manager keeps as `id:` and 64
    /// hexadecimal digits, as `dermalia keys` prints it.
    ///
    /// # Errors
    /// When it cannot be read, or is no key.
    pub async fn signing_key(&self) -> Result<SigningKey, SetUpError> {
        const NAME: &str = "SIGNING_KEY_SECRET";
        let text = self.secret(NAME).await?;
        let parse = || {
            let (id, seed) = text.trim().split_once(':')?;
            let seed = data_encoding::HEXLOWER.decode(seed.as_bytes()).ok()?;
            let seed: [u8; 32] = seed.try_into().ok()?;
            Some(SigningKey::from_seed(KeyId::new(id.parse().ok()?), &seed))
        };
        parse().ok_or(SetUpError::Form {
            name: NAME,
            expected: "`id:` and 64 hexadecimal digits in the secret",
        })
    }

    /// The secrets by which the mail service's events are known, with a space between;
    /// none where no service tells.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn mail_events_secret(&self) -> Result<Option<String>, SetUpError> {
        const NAME: &str = "MAIL_EVENTS_SECRET";
        match self.optional(NAME) {
            Some(_) => self.secret(NAME).await.map(Some),
            None => Ok(None),
        }
    }

    async fn secret(&self, name: &'static str) -> Result<String, SetUpError> {
        let secret = self.variable(name)?;
        let failed = |code: &str| SetUpError::Secret {
            name,
            code: code.to_owned(),
        };
        let answer = aws_sdk_secretsmanager::Client::new(&self.config)
            .get_secret_value()
            .secret_id(secret)
            .send()
            .await
            .map_err(|e| {
                use aws_sdk_secretsmanager::error::ProvideErrorMetadata as _;
                failed(e.code().unwrap_or("no answer"))
            })?;
        answer.secret_string.ok_or_else(|| failed("it has no text"))
    }

    /// All ports, for a function that sends no mail.
    ///
    /// # Errors
    /// When the environment is not complete.
    pub fn ports(&self) -> Result<Ports, SetUpError> {
        Ok(Ports {
            objects: Arc::new(self.objects()?),
            records: Arc::new(self.records()?),
            uploads: Arc::new(self.uploads()?),
            reports: Arc::new(self.reports()?),
            mailer: Arc::new(NoMailer),
            practices: Arc::new(self.practices()?),
            accesses: Arc::new(self.accesses()?),
            vault: self.vault()?,
            clock: self.clock(),
        })
    }

    /// What practices that have agreed nothing else have agreed.
    ///
    /// # Errors
    /// When a number is none.
    pub fn settings(&self) -> Result<Settings, SetUpError> {
        let usual = Settings::default();
        Ok(Settings {
            retention_months: self
                .parsed("RETENTION_MONTHS", "a number of months")?
                .unwrap_or(usual.retention_months),
            link_days: self
                .parsed("LINK_DAYS", "a number of days")?
                .unwrap_or(usual.link_days),
            sender: self.optional("SENDER").unwrap_or(usual.sender.clone()),
            base_url: self.optional("BASE_URL").unwrap_or(usual.base_url.clone()),
            ..usual
        })
    }
}
