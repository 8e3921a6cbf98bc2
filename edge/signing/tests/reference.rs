//! Signatures beside those of another implementation and those that AWS documents.

use dermalia_edge_signing::{Bucket, Post, Signer};

const KEY_ID: &str = "AKIAIOSFODNN7EXAMPLE";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
/// 24 May 2013, 00:00:00.
const THEN: u64 = 1_369_353_600;

fn signer(region: &str) -> Signer {
    Signer::new(KEY_ID.to_owned(), SECRET.to_owned(), region.to_owned())
}

/// "Authenticating Requests: Using Query Parameters", Amazon S3 API Reference.
#[test]
fn the_example_of_aws() {
    let bucket = Bucket::with_own_host("https", "s3.amazonaws.com", "examplebucket");
    assert_eq!(
        signer("us-east-1").object_address(&bucket, "test.txt", 86_400, THEN),
        "https://examplebucket.s3.amazonaws.com/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256\
         &X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request\
         &X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host\
         &X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
    );
}

/// `addresses.tsv` is what `rusty-s3` 0.11.0 answered: at times within one second, over
/// midnight, leap days, years and a century without a leap day, and back; of names that need
/// escapes. One signer answers all in turn, so that what it keeps is never another's.
#[test]
fn every_address_is_that_of_rusty_s3_whatever_is_kept() {
    let signer = signer("eu-central-1");
    let own_host = Bucket::with_own_host("https", "s3.eu-central-1.amazonaws.com", "reports");
    let in_path = Bucket::in_path("http", "127.0.0.1:4566", "reports");
    let mut count = 0;
    for row in include_str!("addresses.tsv").lines() {
        let [style, now, life, key, expected] =
            row.split('\t').collect::<Vec<_>>()[..].try_into().unwrap();
        let bucket = match style {
            "own" => &own_host,
            "path" => &in_path,
            _ => unreachable!("{style}"),
        };
        let (life, now) = (life.parse().unwrap(), now.parse().unwrap());
        let address = signer.object_address(bucket, key, life, now);
        assert_eq!(address, expected, "at {now}");
        count += 1;
    }
    assert_eq!(count, 38);
}

/// The value was computed from the rules with Python's `hmac` and `hashlib`; the edge's
/// tests check each message by the same rules once more, at the other end.
#[test]
fn a_message_is_signed_with_its_body_and_its_target() {
    let ours = signer("eu-central-1");
    let post = Post {
        service: "sqs",
        host: "127.0.0.1:4566",
        content_type: "application/x-amz-json-1.0",
        target: "AmazonSQS.SendMessage",
        body: b"{\"MessageBody\":\"x\"}",
    };
    let headers = ours.post_headers(&post, THEN);
    assert_eq!(headers.date, "20130524T000000Z");
    assert_eq!(headers.authorization, EXPECTED);
    // The key of the day is one of the service.
    let bucket = Bucket::in_path("http", "127.0.0.1:4566", "reports");
    let alone = signer("eu-central-1").object_address(&bucket, "a", 60, THEN);
    assert_eq!(ours.object_address(&bucket, "a", 60, THEN), alone);
    assert_eq!(ours.post_headers(&post, THEN), headers);
    for other in [
        Post { body: b"", ..post },
        Post {
            target: "AmazonSQS.DeleteMessage",
            ..post
        },
        Post {
            host: "127.0.0.1:4567",
            ..post
        },
        Post {
            service: "sns",
            ..post
        },
    ] {
        assert_ne!(ours.post_headers(&other, THEN), headers);
    }
}

const EXPECTED: &str = "AWS4-HMAC-SHA256 \
    Credential=AKIAIOSFODNN7EXAMPLE/20130524/eu-central-1/sqs/aws4_request, \
    SignedHeaders=content-type;host;x-amz-date;x-amz-target, \
    Signature=2fe933a8e0dec448dd67a023ec235a5f69fe26586860e5747d8eb1c97de74799";
