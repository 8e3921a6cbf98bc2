//! Every call that a deployed function has made, held to the policies of its own role: the
//! emulator lets everything pass, so that what the template forgot would show on AWS only.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::deployment::by_boto;
use crate::emulators::{Ministack, REGION};

const ACCOUNT: &str = "000000000000";

/// What one request needs.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Need {
    action: String,
    resource: String,
    /// Partition keys of the items.
    keys: Vec<String>,
    /// Whether KMS was told the scan.
    names_scan: bool,
}

impl Need {
    fn new(action: &str, resource: String) -> Self {
        Self {
            action: action.to_owned(),
            resource,
            keys: vec![],
            names_scan: false,
        }
    }
}

/// The statements of each function's role, with every name filled in.
fn roles(stack: &Ministack) -> BTreeMap<String, Vec<Value>> {
    const SCRIPT: &str = "import boto3, json, sys\n\
        iam, functions = (boto3.client(name, endpoint_url=sys.argv[1]) for name in ('iam', 'lambda'))\n\
        def statements(role):\n\
        \x20   for name in iam.list_role_policies(RoleName=role)['PolicyNames']:\n\
        \x20       yield from iam.get_role_policy(RoleName=role, PolicyName=name)['PolicyDocument']['Statement']\n\
        print(json.dumps({f['FunctionName']: list(statements(f['Role'].split('/')[-1]))\n\
        \x20   for f in functions.list_functions()['Functions']}))\n";
    serde_json::from_str(&by_boto(SCRIPT, &[&stack.endpoint])).unwrap()
}

/// Fails for the first call that its function's role does not allow, and for a function
/// that has made none.
pub(crate) fn hold(stack: &Ministack, requests: &[Vec<u8>]) {
    let roles = roles(stack);
    let mut needs: BTreeMap<&str, BTreeSet<Need>> = BTreeMap::new();
    for request in requests {
        let (function, found) = needs_of(request);
        let known = roles.get_key_value(&function);
        let (function, _) = known.unwrap_or_else(|| panic!("{function} has no role"));
        needs.entry(function).or_default().extend(found);
    }
    for (function, statements) in &roles {
        let needs = needs.get(function.as_str());
        let needs = needs.unwrap_or_else(|| panic!("{function} has called nobody"));
        for need in needs {
            let is_allowed = statements.iter().any(|s| allows(s, need));
            assert!(is_allowed, "{function} may not: {need:?}");
        }
        eprintln!("{function}: {} kinds of calls, each allowed", needs.len());
    }
}

/// Whether a statement allows a call that was made without another service between.
fn allows(statement: &Value, need: &Need) -> bool {
    let any = |value: &Value, fits: &dyn Fn(&str) -> bool| match value {
        Value::String(text) => fits(text),
        Value::Array(all) => all.iter().filter_map(Value::as_str).any(fits),
        _ => false,
    };
    statement["Effect"] == "Allow"
        && any(&statement["Action"], &|action| action == need.action)
        && any(&statement["Resource"], &|pattern| {
            is_like(pattern, &need.resource)
        })
        && conditions(statement)
            .into_iter()
            .all(
                |(operator, key, value)| match (operator.as_str(), key.as_str()) {
                    ("ForAllValues:StringLike", "dynamodb:LeadingKeys") => {
                        let fits = |key: &String| any(&value, &|pattern| is_like(pattern, key));
                        !need.keys.is_empty() && need.keys.iter().all(fits)
                    }
                    ("StringEquals", "kms:ViaService") => false,
                    ("Null", "kms:EncryptionContext:scan") => value == "false" && need.names_scan,
                    _ => panic!("no test knows the condition {operator} {key}"),
                },
            )
}

fn conditions(statement: &Value) -> Vec<(String, String, Value)> {
    let operators = statement["Condition"].as_object().into_iter().flatten();
    let each = operators.flat_map(|(operator, keys)| {
        let keys = keys.as_object().into_iter().flatten();
        keys.map(|(key, value)| (operator.clone(), key.clone(), value.clone()))
    });
    each.collect()
}

/// IAM's patterns: `*` stands for anything.
fn is_like(pattern: &str, text: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else {
        return pattern == text;
    };
    let Some(text) = text.strip_prefix(start) else {
        return false;
    };
    (0..=text.len())
        .filter(|at| text.is_char_boundary(*at))
        .any(|at| is_like(rest, &text[at..]))
}

/// Which function made a request, and what it needs.
fn needs_of(request: &[u8]) -> (String, Vec<Need>) {
    let end = request.windows(4).position(|w| w == b"\r\n\r\n").unwrap();
    let head = String::from_utf8(request[..end].to_vec()).unwrap();
    let body = &request[end + 4..];
    let mut lines = head.lines();
    let start: Vec<&str> = lines.next().unwrap().split(' ').collect();
    let headers: BTreeMap<String, &str> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value))
        .collect();
    let agents = ["x-amz-user-agent", "user-agent"].map(|name| headers.get(name).copied());
    let mut words = agents.into_iter().flatten().flat_map(|a| a.split(' '));
    let function = words.find_map(|word| word.strip_prefix("app/")).unwrap();
    let needs = match headers.get("x-amz-target") {
        Some(target) => of_target(target, &serde_json::from_slice(body).unwrap()),
        None => of_s3(start[0], start[1], headers.get("x-amz-copy-source"), body),
    };
    (function.to_owned(), needs)
}

fn text<'a>(body: &'a Value, field: &str) -> &'a str {
    body[field]
        .as_str()
        .unwrap_or_else(|| panic!("{field}: {body}"))
}

fn of_target(target: &str, body: &Value) -> Vec<Need> {
    let (service, operation) = target.split_once('.').unwrap();
    let arn = |service: &str, name: &str| format!("arn:aws:{service}:{REGION}:{ACCOUNT}:{name}");
    match service {
        "DynamoDB_20120810" if operation == "TransactWriteItems" => {
            let items = body["TransactItems"].as_array().unwrap().iter();
            let parts = items.flat_map(|item| item.as_object().unwrap());
            let needs = parts.flat_map(|(kind, part)| of_table(&format!("{kind}Item"), part));
            needs.collect()
        }
        "DynamoDB_20120810" => of_table(operation, body),
        "AmazonSQS" => {
            let queue = text(body, "QueueUrl").rsplit('/').next().unwrap();
            vec![Need::new(&format!("sqs:{operation}"), arn("sqs", queue))]
        }
        "secretsmanager" => {
            // AWS puts six characters behind a secret's name.
            let secret = format!("secret:{}-AbCdEf", text(body, "SecretId"));
            let action = format!("secretsmanager:{operation}");
            vec![Need::new(&action, arn("secretsmanager", &secret))]
        }
        "TrentService" => {
            let mut need = Need::new(&format!("kms:{operation}"), text(body, "KeyId").to_owned());
            need.names_scan = body["EncryptionContext"]["scan"].is_string();
            vec![need]
        }
        _ => panic!("no test knows {target}"),
    }
}

fn of_table(operation: &str, body: &Value) -> Vec<Need> {
    let index = body["IndexName"].as_str();
    let index = index.map_or(String::new(), |name| format!("/index/{name}"));
    let table = text(body, "TableName");
    let resource = format!("arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{table}{index}");
    let mut need = Need::new(&format!("dynamodb:{operation}"), resource);
    let places = [
        &body["Key"]["pk"]["S"],
        &body["Item"]["pk"]["S"],
        &body["ExpressionAttributeValues"][":pk"]["S"],
    ];
    let keys = places.into_iter().filter_map(Value::as_str);
    need.keys = keys.map(str::to_owned).collect();
    vec![need]
}

fn of_s3(method: &str, target: &str, source: Option<&&str>, body: &[u8]) -> Vec<Need> {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let path = decoded(path.trim_start_matches('/'));
    let (bucket, key) = path.split_once('/').unwrap_or((&path, ""));
    let has = |name: &str| {
        let mut pairs = query.split('&');
        pairs.any(|pair| pair.split('=').next() == Some(name))
    };
    let at = |bucket: &str, key: &str| match key {
        "" => format!("arn:aws:s3:::{bucket}"),
        key => format!("arn:aws:s3:::{bucket}/{key}"),
    };
    let action = match (method, key.is_empty()) {
        ("GET", true) if has("versions") => "s3:ListBucketVersions",
        ("GET", true) if has("uploads") => "s3:ListBucketMultipartUploads",
        ("GET", true) => "s3:ListBucket",
        ("GET", false) if has("uploadId") => "s3:ListMultipartUploadParts",
        ("GET" | "HEAD", false) if has("versionId") => "s3:GetObjectVersion",
        ("GET" | "HEAD", false) => "s3:GetObject",
        ("PUT", false) => "s3:PutObject",
        ("POST", false) if has("uploads") || has("uploadId") => "s3:PutObject",
        ("POST", true) if has("delete") => {
            let xml = String::from_utf8(body.to_vec()).unwrap();
            let keys = xml.split("<Key>").skip(1).map(|rest| {
                let key = rest.split("</Key>").next().unwrap();
                let end = rest.find("</Object>").unwrap();
                let action = if rest[..end].contains("<VersionId>") {
                    "s3:DeleteObjectVersion"
                } else {
                    "s3:DeleteObject"
                };
                Need::new(action, at(bucket, key))
            });
            return keys.collect();
        }
        _ => panic!("no test knows {method} {target}"),
    };
    let mut needs = vec![Need::new(action, at(bucket, key))];
    if let Some(source) = source {
        let (path, version) = source.split_once('?').unwrap_or((source, ""));
        let path = decoded(path.trim_start_matches('/'));
        let (bucket, key) = path.split_once('/').unwrap();
        let action = if version.is_empty() {
            "s3:GetObject"
        } else {
            "s3:GetObjectVersion"
        };
        needs.push(Need::new(action, at(bucket, key)));
    }
    needs
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let hex = (first == b'%').then(|| after.get(..2)).flatten();
        let byte = hex.and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        bytes.push(byte.unwrap_or(first));
        rest = if byte.is_some() { &after[2..] } else { after };
    }
    String::from_utf8(bytes).unwrap()
}

#[test]
fn what_a_statement_does_not_name_is_not_allowed() {
    let statement = serde_json::json!({
        "Effect": "Allow",
        "Action": ["dynamodb:GetItem"],
        "Resource": "arn:aws:dynamodb:eu-central-1:000000000000:table/dermalia-dev",
        "Condition": { "ForAllValues:StringLike": { "dynamodb:LeadingKeys": ["P#*"] } },
    });
    let get = |pk: &str, table: &str| {
        let body = serde_json::json!({ "TableName": table, "Key": { "pk": { "S": pk } } });
        of_target("DynamoDB_20120810.GetItem", &body).remove(0)
    };
    assert!(allows(&statement, &get("P#praxis-nord", "dermalia-dev")));
    assert!(!allows(&statement, &get("AUDITS", "dermalia-dev")));
    assert!(!allows(
        &statement,
        &get("P#praxis-nord", "dermalia-dev-keys")
    ));
    let mut put = get("P#praxis-nord", "dermalia-dev");
    put.action = "dynamodb:PutItem".to_owned();
    assert!(!allows(&statement, &put));

    let objects = serde_json::json!({
        "Effect": "Allow",
        "Action": "s3:GetObject",
        "Resource": "arn:aws:s3:::dermalia-dev-incoming/incoming/*",
    });
    let of = |method: &str, target: &str| of_s3(method, target, None, b"").remove(0);
    let key = "/dermalia-dev-incoming/incoming/praxis-nord/SCAN/wei%C3%9F.jpg";
    assert!(allows(
        &objects,
        &of("GET", &format!("{key}?x-id=GetObject"))
    ));
    assert!(!allows(&objects, &of("GET", &format!("{key}?versionId=1"))));
    assert!(!allows(&objects, &of("PUT", key)));
    assert!(!allows(
        &objects,
        &of("GET", "/dermalia-dev-incoming?list-type=2")
    ));
    assert!(!allows(
        &objects,
        &of("GET", "/dermalia-dev-reports/reports/a")
    ));
}
