//! What is deployed on AWS: its templates linted, and the ports held to their suite over
//! the wire, against emulators.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use crate::command;
use crate::python::venv;

/// An emulation of AWS; SAM and the linter of its specification.
const STACK: &[&str] = &[
    "aws-sam-cli==1.167.0",
    "aws-sam-translator==1.113.0",
    "botocore==1.43.106",
    "cfn-lint==1.53.3",
    "cryptography",
    "ministack==1.5.33",
];
/// The linter of policies. Apart from the others: it wants other versions of the same.
const CHECKOV: &[&str] = &["checkov==3.3.30"];

/// Part of the test command.
pub(crate) fn test() -> Result<()> {
    let stack = venv("aws", STACK)?;
    lint(&stack, &venv("checkov", CHECKOV)?)?;
    let dynamodb = dynamodb()?;
    // Of the whole workspace, so that nothing is built anew for other features.
    command::run(
        Command::new(command::cargo_program())
            .args(["test", "--release", "--locked", "--workspace"])
            .args(["--test", "ports"])
            .env("DERMALIA_MINISTACK", stack.join("ministack"))
            .env("DERMALIA_DYNAMODB", dynamodb),
    )
}

/// The templates are what SAM, the specification's linter and the policies' linter accept;
/// what is suppressed there says why.
fn lint(stack: &Path, checkov: &Path) -> Result<()> {
    command::run(
        Command::new(stack.join("sam"))
            .args(["validate", "--lint", "--config-env", "dev"])
            .env("AWS_DEFAULT_REGION", "eu-central-1")
            .env("AWS_ACCESS_KEY_ID", "test")
            .env("AWS_SECRET_ACCESS_KEY", "test")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("SAM_CLI_TELEMETRY", "0"),
    )?;
    let template = |name: &str| command::root().join("infra").join(name);
    command::run(
        Command::new(stack.join("cfn-lint"))
            .arg(template("template.yaml"))
            .arg(template("budget.yaml")),
    )?;
    command::run(
        Command::new(checkov.join("checkov"))
            .args(["--directory", "infra", "--framework", "cloudformation"])
            .args(["--skip-download", "--compact", "--quiet"]),
    )
}

/// The emulator of DynamoDB, built once for each change of its lock file.
fn dynamodb() -> Result<PathBuf> {
    let build = command::target().join("dynamodb");
    command::run_in(
        &command::root().join("tests/dynamodb"),
        Command::new(command::cargo_program())
            .args(["build", "--release", "--locked"])
            .env("CARGO_TARGET_DIR", &build),
    )?;
    Ok(build.join("release/dynamodb"))
}
