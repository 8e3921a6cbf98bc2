//! Tables, buckets and queues as the template has them, made by hand for tests of single
//! parts.

use aws_config::SdkConfig;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection,
    ProjectionType, ScalarAttributeType, StreamSpecification, StreamViewType,
    TimeToLiveSpecification,
};
use aws_sdk_s3::types::{
    BucketLocationConstraint, BucketVersioningStatus, CreateBucketConfiguration,
    VersioningConfiguration,
};
use dermalia_cloud::{Buckets, QueuePlace};

use crate::emulators::REGION;

/// The records' table: index, stream and expiry.
pub(crate) async fn table(client: &aws_sdk_dynamodb::Client, name: &str) {
    let projection = Projection::builder()
        .projection_type(ProjectionType::KeysOnly)
        .build();
    let index = GlobalSecondaryIndex::builder()
        .index_name("by-report")
        .key_schema(key("report_id", KeyType::Hash))
        .projection(projection)
        .build()
        .unwrap();
    let stream = StreamSpecification::builder()
        .stream_enabled(true)
        .stream_view_type(StreamViewType::OldImage)
        .build()
        .unwrap();
    plain(client, name)
        .attribute_definitions(attribute("report_id"))
        .global_secondary_indexes(index)
        .stream_specification(stream)
        .send()
        .await
        .unwrap();
    let expiry = TimeToLiveSpecification::builder()
        .attribute_name("expires_at_secs")
        .enabled(true)
        .build()
        .unwrap();
    client
        .update_time_to_live()
        .table_name(name)
        .time_to_live_specification(expiry)
        .send()
        .await
        .unwrap();
}

/// The data keys' table: none of these.
pub(crate) async fn keys_table(client: &aws_sdk_dynamodb::Client, name: &str) {
    plain(client, name).send().await.unwrap();
}

fn plain(
    client: &aws_sdk_dynamodb::Client,
    name: &str,
) -> aws_sdk_dynamodb::operation::create_table::builders::CreateTableFluentBuilder {
    client
        .create_table()
        .table_name(name)
        .billing_mode(BillingMode::PayPerRequest)
        .key_schema(key("pk", KeyType::Hash))
        .key_schema(key("sk", KeyType::Range))
        .attribute_definitions(attribute("pk"))
        .attribute_definitions(attribute("sk"))
}

fn key(name: &str, kind: KeyType) -> KeySchemaElement {
    KeySchemaElement::builder()
        .attribute_name(name)
        .key_type(kind)
        .build()
        .unwrap()
}

fn attribute(name: &str) -> AttributeDefinition {
    AttributeDefinition::builder()
        .attribute_name(name)
        .attribute_type(ScalarAttributeType::S)
        .build()
        .unwrap()
}

/// The three buckets, which keep versions.
pub(crate) async fn buckets(client: &aws_sdk_s3::Client) -> Buckets {
    for name in ["incoming", "findings", "reports"] {
        let place = CreateBucketConfiguration::builder()
            .location_constraint(BucketLocationConstraint::from(REGION))
            .build();
        client
            .create_bucket()
            .bucket(name)
            .create_bucket_configuration(place)
            .send()
            .await
            .unwrap();
        let versions = VersioningConfiguration::builder()
            .status(BucketVersioningStatus::Enabled)
            .build();
        client
            .put_bucket_versioning()
            .bucket(name)
            .versioning_configuration(versions)
            .send()
            .await
            .unwrap();
    }
    Buckets {
        incoming: "incoming".to_owned(),
        findings: "findings".to_owned(),
        reports: "reports".to_owned(),
    }
}

/// A queue and its dead letters.
pub(crate) async fn queue(config: &SdkConfig, name: &str, max_receives: u32) -> QueuePlace {
    let client = aws_sdk_sqs::Client::new(config);
    let dead = format!("{name}-dead");
    let create = |name: &str| client.create_queue().queue_name(name);
    let dead_url = create(&dead).send().await.unwrap().queue_url.unwrap();
    let arn = format!("arn:aws:sqs:{REGION}:000000000000:{dead}");
    let policy =
        format!("{{\"deadLetterTargetArn\":\"{arn}\",\"maxReceiveCount\":{max_receives}}}");
    let url = create(name)
        .attributes(
            aws_sdk_sqs::types::QueueAttributeName::RedrivePolicy,
            policy,
        )
        .send()
        .await
        .unwrap()
        .queue_url
        .unwrap();
    QueuePlace {
        url,
        dead_url,
        max_receives,
    }
}
